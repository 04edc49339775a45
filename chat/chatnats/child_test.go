package chatnats

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Some tests need processes that can be killed and stopped. Each is this test
// binary, with a role from the environment.
const roleVariable = "PARLEY_CHATNATS_ROLE"

var roles = map[string]func(ctx context.Context, args map[string]string) error{}

// playRole runs the role, if there is one, and then exits.
func playRole() {
	role := os.Getenv(roleVariable)
	if role == "" {
		return
	}
	args := map[string]string{}
	for _, name := range []string{"URL", "ID", "DIR", "PORT", "ROUTES", "CLUSTER", "CHAT"} {
		args[name] = os.Getenv("PARLEY_CHATNATS_" + name)
	}
	if err := roles[role](context.Background(), args); err != nil {
		fmt.Fprintln(os.Stderr, role, args["ID"], err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A child is a process with a role. It reports by lines on its standard output.
type child struct {
	t     testing.TB
	cmd   *exec.Cmd
	lines chan string
	ended sync.WaitGroup
}

func newChild(t testing.TB, role string, args map[string]string) *child {
	c := &child{t: t, cmd: exec.Command(os.Args[0]), lines: make(chan string, 100_000)}
	c.cmd.Env = append(os.Environ(), roleVariable+"="+role)
	for name, value := range args {
		c.cmd.Env = append(c.cmd.Env, "PARLEY_CHATNATS_"+name+"="+value)
	}
	c.cmd.Stderr = os.Stderr
	// The child is killed when this process ends.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	c.ended.Go(func() { // ends with the child
		defer close(c.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			c.lines <- scanner.Text()
		}
	})
	t.Cleanup(c.kill)
	return c
}

// kill sends SIGKILL. It returns when the process has ended and all its lines
// were read.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Process.Signal(syscall.SIGCONT)
	c.ended.Wait()
	_ = c.cmd.Wait()
}

func (c *child) stop() { require.NoError(c.t, c.cmd.Process.Signal(syscall.SIGSTOP)) }
func (c *child) cont() { require.NoError(c.t, c.cmd.Process.Signal(syscall.SIGCONT)) }
