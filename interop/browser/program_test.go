package browser

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// programs is a folder with the programs under test and the profile of the
// browser.
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

// build builds the programs under test.
var build = sync.OnceValue(func() error {
	cmd := exec.Command("go", "build", "-race", "-ldflags=-w", "-o", programs, "./examples/mockserver", "./examples/playground", "./examples/webchat")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
})

// A program is the process of an example.
type program struct {
	url  string
	stop func() // sends SIGTERM, and waits for the end
}

var loopback = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// start starts an example, and returns when the example has printed its URL.
// The example runs until the test ends.
func start(t *testing.T, name string, args ...string) program {
	t.Helper()
	chromium(t) // skips the test if there is no browser
	require.NoError(t, build())
	cmd := exec.CommandContext(context.Background(), filepath.Join(programs, name), args...)
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
		kill := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		require.NoError(t, cmd.Wait(), "%s ended with an error", name)
	}
	t.Cleanup(stop)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err, "%s printed nothing", name)
	url := loopback.FindString(line)
	require.NotEmpty(t, url, line)
	return program{url, stop}
}

// held are the arguments of a mock server that holds each answer after 10
// tokens, so that it cannot end before the test has acted.
var held = []string{"-hold-after", "10"}

// backend starts a mock server.
func backend(t *testing.T, args ...string) program {
	t.Helper()
	return start(t, "mockserver", append([]string{"-addr", "127.0.0.1:0", "-pace", "3ms"}, args...)...)
}

// hold makes a mock server hold each answer after so many tokens. With 0 it
// continues them.
func (p program) hold(t *testing.T, tokens int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, p.url+"/faults/settings",
		strings.NewReader(fmt.Sprintf(`{"holdAfter": %d}`, tokens)))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
}

// playground starts a playground in front of a backend.
func playground(t *testing.T, backend program, args ...string) program {
	t.Helper()
	return start(t, "playground", append([]string{"-addr", "127.0.0.1:0", "-backend", backend.url}, args...)...)
}
