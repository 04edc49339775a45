// Package nodetest runs servers and clients of npm's socket.io in Node, for tests.
package nodetest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Backend is a server in a process of its own.
type Backend struct {
	t       testing.TB
	command []string // to which the port is added
	env     []string
	port    int
	cmd     *exec.Cmd
}

// Start starts a script of interop/node on a free port, until the test ends;
// env adds to its environment.
func Start(t testing.TB, script string, env ...string) *Backend {
	t.Helper()
	need(t)
	return StartProgram(t, []string{"node", script}, env...)
}

// StartProgram starts a program on a free port, until the test ends; env adds
// to its environment. The program takes --port and prints {"port": N} once it
// listens. Its working directory is interop/node.
func StartProgram(t testing.TB, command []string, env ...string) *Backend {
	t.Helper()
	b := &Backend{t: t, command: command, env: env}
	b.Start()
	t.Cleanup(b.Kill)
	return b
}

// Run runs a script of interop/node to its end, with args, and returns what it has printed. A script that
// fails or takes longer than the test fails the test.
func Run(t testing.TB, script string, args ...string) string {
	t.Helper()
	need(t)
	cmd := exec.CommandContext(t.Context(), "node", append([]string{script}, args...)...)
	cmd.Dir = dir()
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, complaints.String())
	return string(out)
}

// URL is where the server answers, over all its restarts.
func (b *Backend) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", b.port) }

// Start starts the process and waits until it listens: on the port that it had
// before, if it had one.
func (b *Backend) Start() {
	b.t.Helper()
	args := append(b.command[1:len(b.command):len(b.command)], "--port", strconv.Itoa(b.port))
	b.cmd = exec.Command(b.command[0], args...)
	b.cmd.Dir = dir()
	b.cmd.Env = append(os.Environ(), b.env...)
	b.cmd.Stderr = os.Stderr
	stdout, err := b.cmd.StdoutPipe()
	require.NoError(b.t, err)
	require.NoError(b.t, b.cmd.Start())
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	require.NoError(b.t, err, "the backend said nothing")
	var listening struct{ Port int }
	require.NoError(b.t, json.Unmarshal(line, &listening))
	b.port = listening.Port
}

// Kill ends the process at once, as a crash would.
func (b *Backend) Kill() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}

// Modules is where npm has put what the tests need. It skips the test where
// there is none.
func Modules(t testing.TB) string {
	t.Helper()
	need(t)
	return filepath.Join(dir(), "node_modules")
}

// dir is interop/node, wherever the test runs.
func dir() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "interop", "node")
}

// need skips the test where there is no Node, or fails it if that is required.
func need(t testing.TB) {
	t.Helper()
	_, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(dir(), "node_modules", "socket.io"))
	}
	if err == nil {
		return
	}
	if os.Getenv("PARLEY_INTEROP") == "required" {
		require.NoError(t, err, "the interop tests need Node and npm ci --prefix interop/node")
	}
	t.Skipf("NOT TESTED AGAINST NODE: %v (install Node, then: npm ci --prefix interop/node)", err)
}

// Process is the process that runs, for what else can be done to one.
func (b *Backend) Process() *os.Process { return b.cmd.Process }

// Wait waits for a process that ends by itself, and returns how it did.
func (b *Backend) Wait() error { return b.cmd.Wait() }

// Pause stops the process where it is; its connections stay open.
func (b *Backend) Pause() error { return b.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue lets a paused process go on.
func (b *Backend) Continue() error { return b.cmd.Process.Signal(syscall.SIGCONT) }
