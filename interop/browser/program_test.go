package browser

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// programs is where the programs under test have been built, and the profile of the browser is.
var programs string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if programs, err = os.MkdirTemp("", "parley-browser-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(programs)
		defer func() {
			if browser.stop != nil {
				browser.stop()
			}
		}()
		return m.Run()
	}())
}

// build builds an example of the repository, once, and returns where it is.
func build(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(programs, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-race", "-o", path, "./examples/"+name)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// A program is one of the examples in a process of its own.
type program struct {
	url  string
	stop func() // asks it to end, and waits until it has
}

var loopback = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// start starts an example, until the test ends, and returns when it has said where it listens.
func start(t *testing.T, name string, args ...string) program {
	t.Helper()
	chromium(t) // where there is none, nothing need be built
	cmd := exec.CommandContext(context.Background(), build(t, name), args...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		require.NoError(t, cmd.Wait(), "%s does not end as it should", name)
	}
	t.Cleanup(stop)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err, "%s has said nothing", name)
	url := loopback.FindString(line)
	require.NotEmpty(t, url, line)
	return program{url, stop}
}

// backend starts a mock server.
func backend(t *testing.T, args ...string) program {
	t.Helper()
	return start(t, "mockserver", append([]string{"-addr", "127.0.0.1:0", "-pace", "3ms"}, args...)...)
}

// playground starts a playground in front of a backend.
func playground(t *testing.T, backend program) program {
	t.Helper()
	return start(t, "playground", "-addr", "127.0.0.1:0", "-backend", backend.url)
}
