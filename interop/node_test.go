package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend is a chat backend in a Node process of its own.
type backend struct {
	t    *testing.T
	env  []string
	port int
	cmd  *exec.Cmd
}

// startBackend starts the backend on a free port; env adds to its environment.
func startBackend(t *testing.T, env ...string) *backend {
	t.Helper()
	needNode(t)
	b := &backend{t: t, env: env}
	b.start()
	t.Cleanup(b.kill)
	return b
}

func (b *backend) url() string { return fmt.Sprintf("http://127.0.0.1:%d", b.port) }

// start starts the process and waits until it listens: on the port that it had
// before, if it had one.
func (b *backend) start() {
	b.t.Helper()
	b.cmd = exec.Command("node", "server.js", "--port", strconv.Itoa(b.port))
	b.cmd.Dir = "node"
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

// kill ends the process at once, as a crash would.
func (b *backend) kill() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}

func needNode(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat("node/node_modules/socket.io")
	}
	if err == nil {
		return
	}
	if os.Getenv("PARLEY_INTEROP") == "required" {
		require.NoError(t, err, "the interop tests need Node and npm ci --prefix interop/node")
	}
	t.Skipf("NOT TESTED AGAINST NODE: %v (install Node, then: npm ci --prefix interop/node)", err)
}

// within is the time after which a hanging test gives up.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// receiveFrom takes the next value off a channel.
func receiveFrom[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-ch:
		require.True(t, ok, "channel closed")
		return v
	case <-time.After(30 * time.Second):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}
