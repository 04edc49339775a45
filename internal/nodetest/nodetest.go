// Package nodetest runs servers and clients of npm's socket.io in Node for
// tests.
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

	"github.com/seed67206a74/parley/internal/installed"
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

// Start starts a script of interop/node on a free port, and waits until it
// listens. The script runs until the test ends. env adds variables to its
// environment.
func Start(t testing.TB, script string, env ...string) *Backend {
	t.Helper()
	need(t)
	return StartProgram(t, []string{"node", script}, env...)
}

// StartProgram starts a program on a free port, and waits until it listens. The
// program runs until the test ends, in the folder interop/node. env adds
// variables to its environment. The program must have the flag --port, and
// print {"port": N} when it listens.
func StartProgram(t testing.TB, command []string, env ...string) *Backend {
	t.Helper()
	b := &Backend{t: t, command: command, env: env}
	b.Start()
	t.Cleanup(b.Kill)
	return b
}

// Run runs a script of interop/node with args, and returns its standard output.
// The test fails if the script fails.
func Run(t testing.TB, script string, args ...string) string {
	t.Helper()
	need(t)
	cmd := exec.CommandContext(t.Context(), "node", append([]string{script}, args...)...)
	cmd.Dir = dir()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return string(out)
}

// URL returns the URL of the server. A restart does not change it.
func (b *Backend) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", b.port) }

// Start starts the process and waits until it listens. A restarted process has
// the port that it had before.
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
	require.NoError(b.t, err, "the program ended before it listened")
	var listening struct{ Port int }
	require.NoError(b.t, json.Unmarshal(line, &listening))
	b.port = listening.Port
}

// Kill kills the process and waits for its end.
func (b *Backend) Kill() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}

// Modules returns the folder with the installed packages of npm. It skips the
// test if there are none.
func Modules(t testing.TB) string {
	t.Helper()
	need(t)
	return filepath.Join(dir(), "node_modules")
}

// dir returns the path of interop/node.
func dir() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "interop", "node")
}

// need skips or fails the test if Node or socket.io is missing.
func need(t testing.TB) {
	t.Helper()
	_, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(dir(), "node_modules", "socket.io"))
	}
	installed.Need(t, err, "install Node, then: make interop/node/node_modules")
}

// Process returns the running process, for example to signal it.
func (b *Backend) Process() *os.Process { return b.cmd.Process }

// Wait waits for a process that ends by itself, and returns the error of
// exec.Cmd.Wait.
func (b *Backend) Wait() error { return b.cmd.Wait() }

// Pause suspends the process. Its connections stay open.
func (b *Backend) Pause() error { return b.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue resumes a paused process.
func (b *Backend) Continue() error { return b.cmd.Process.Signal(syscall.SIGCONT) }
