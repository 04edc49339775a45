// Package exampletest runs an example as a process, in the example's tests.
package exampletest

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

const variable = "EXAMPLE"

// Main is for TestMain. It runs the tests, or in a process of [Command] the
// example.
func Main(m *testing.M, example func()) {
	if os.Getenv(variable) != "" {
		example()
		return
	}
	goleak.VerifyTestMain(m)
}

// Command returns a command that runs the example with the arguments. It ends
// with ctx at the latest.
func Command(ctx context.Context, arguments ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, os.Args[0], arguments...)
	c.Env = append(os.Environ(), variable+"=1")
	return c
}

// NoServer is the address of a reserved port.
const NoServer = "http://127.0.0.1:1"

// ReportsMissingServer runs the example with the arguments, which name
// [NoServer]. It checks that the output has the text, and that the exit code
// after an interrupt is the given one. It also checks that -help describes the
// example and exits with 0, and that a wrong flag exits with 2.
func ReportsMissingServer(t *testing.T, text string, code int, arguments ...string) {
	t.Helper()
	reader, writer := io.Pipe()
	example := Command(context.WithoutCancel(t.Context()), arguments...)
	example.Stdout, example.Stderr = writer, writer
	require.NoError(t, example.Start())
	drained := make(chan struct{})
	found := make(chan bool, 1)
	go func() { // ends with the example
		defer close(drained)
		lines := bufio.NewScanner(reader)
		for lines.Scan() && !strings.Contains(lines.Text(), text) {
		}
		found <- strings.Contains(lines.Text(), text)
		_, _ = io.Copy(io.Discard, reader)
	}()
	ended := make(chan struct{})
	go func() { // ends with the example
		defer close(ended)
		_ = example.Wait()
		writer.Close()
	}()
	assert.True(t, <-found, "the output has %q", text)
	_ = example.Process.Signal(syscall.SIGINT)
	<-ended
	<-drained
	assert.Equal(t, code, example.ProcessState.ExitCode())

	help, err := Command(t.Context(), "-help").CombinedOutput()
	assert.NoError(t, err, "-help exits with 0")
	assert.Regexp(t, `^[A-Z].*\.\n\n  \w+ `, string(help), "a description of one line, then the arguments")
	assert.NotRegexp(t, `(?m)^  -\w+ (int|uint|string|float)$`, string(help), "each flag names its argument")
	wrong := Command(t.Context(), "-no-such-flag")
	assert.Error(t, wrong.Run())
	assert.Equal(t, 2, wrong.ProcessState.ExitCode(), "a wrong flag exits with 2")
}
