package conn_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRun_answersPingsAndReportsPingTimeout(t *testing.T) {
	pongs := make(chan string, 2)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Send(`0{"sid":"e","pingInterval":300,"pingTimeout":300}`)
		pongs <- p.Receive()
		p.Send(`40{"sid":"s"}`)
		p.Send(`2`)
		pongs <- p.Receive()
		p.UntilGone() // silence
	})
	_, ended, _ := start(t, url, conn.Config{Reconnect: noRetry})
	assert.Equal(t, "40", wiretest.ReceiveFrom(t, pongs))
	assert.Equal(t, "3", wiretest.ReceiveFrom(t, pongs))
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, ended), conn.ErrPingTimeout)
}

func TestRun_keepsSessionWhilePingsArrive(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Send(`0{"sid":"e","pingInterval":500,"pingTimeout":500}`)
		p.Receive()
		p.Send(`40{"sid":"s"}`)
		for range 24 { // for longer than the server's interval and grace
			p.Send(`2`)
			p.Receive()
			<-time.After(50 * time.Millisecond)
		}
		p.Send(`42["alive"]`)
		p.UntilGone()
	})
	c, err := conn.New(url, conn.Config{Reconnect: noRetry})
	require.NoError(t, err)
	alive := conn.On[any](c, "alive").Chan(t.Context())
	ended, _ := wiretest.Run(t, c)
	select {
	case <-alive:
	case err := <-ended:
		assert.NoError(t, err, "ended")
	}
}

func TestRun_countsPingsWhileWriteIsBlocked(t *testing.T) {
	const events, size = 400, 64 << 10 // more than the socket buffers hold
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Send(`0{"sid":"e","pingInterval":500,"pingTimeout":500}`)
		p.Receive()
		p.Send(`40{"sid":"s"}`)
		read := make(chan struct{})
		var pinging sync.WaitGroup
		pinging.Go(func() {
			for {
				select {
				case <-read:
					p.Send(`42["alive"]`)
					return
				case <-time.After(time.Millisecond):
					p.Send(`2`)
				}
			}
		})
		for n := 0; n < events; {
			frame := p.Receive()
			if frame == "" {
				break
			}
			if frame[0] != '4' {
				continue // a pong
			}
			if n++; n == 1 {
				// Read nothing for longer than pingInterval + pingTimeout.
				<-time.After(1200 * time.Millisecond)
			}
		}
		close(read)
		pinging.Wait()
		p.UntilGone()
	})
	c, err := conn.New(url, conn.Config{Reconnect: noRetry})
	require.NoError(t, err)
	alive := conn.On[any](c, "alive").Chan(t.Context())
	ended, _ := wiretest.Run(t, c)
	payload := strings.Repeat("x", size)
	for range events {
		require.NoError(t, c.Emit(t.Context(), "big", payload))
	}
	select {
	case <-alive:
	case err := <-ended:
		assert.NoError(t, err, "ended")
	}
}
