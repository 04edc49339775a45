package conn_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(idleServer) != "" {
		serveIdle()
		return
	}
	goleak.VerifyTestMain(m)
}

// soon retries almost at once.
var soon = reconnect.Policy{InitialInterval: time.Millisecond, MaxInterval: time.Millisecond}

// noRetry ends Run with the first error.
var noRetry = reconnect.Policy{MaxAttempts: -1}

// start makes a connection and runs it until the test ends or cancel is called.
// The channel receives the result of Run.
func start(t *testing.T, url string, cfg conn.Config) (c *conn.Conn, ended <-chan error, cancel context.CancelFunc) {
	t.Helper()
	c, err := conn.New(url, cfg)
	require.NoError(t, err)
	ended, cancel = wiretest.Run(t, c)
	return c, ended, cancel
}

// sends serves sessions that wait for one frame of the client and then send the
// given frames.
func sends(t *testing.T, frames ...string) string {
	return wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Receive()
		for _, frame := range frames {
			p.Send(frame)
		}
		p.UntilGone()
	})
}
