package conn_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReady_returnsProtocolErrorOnInvalidOpenPacket(t *testing.T) {
	for name, open := range map[string]string{
		"no payload":             `0`,
		"no sid":                 `0{}`,
		"an array":               `0[]`,
		"a message":              `4hello`,
		"an unknown packet type": `x`,
		"a negative interval":    `0{"sid":"s","pingInterval":-1,"pingTimeout":1}`,
		"no timeout":             `0{"sid":"s","pingInterval":25000}`,
	} {
		t.Run(name, func(t *testing.T) {
			url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Send(open); p.UntilGone() })
			c, _, _ := start(t, url, conn.Config{Reconnect: noRetry})
			var protocol *conn.ProtocolError
			assert.ErrorAs(t, c.Ready(t.Context()), &protocol)
		})
	}
}

func TestRun_limitsHandshakeResponseSize(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	gone := make(chan struct{})
	go func() { // ends when the client has had enough
		defer close(gone)
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, err = c.Write([]byte("HTTP/1.1 101 Switching Protocols\r\n"))
		for err == nil {
			_, err = c.Write([]byte("X: " + strings.Repeat("x", 1000) + "\r\n"))
		}
	}()
	_, ended, _ := start(t, "http://"+listener.Addr().String(), conn.Config{Reconnect: noRetry})
	assert.ErrorContains(t, wiretest.ReceiveFrom(t, ended), "too long")
	<-gone
	listener.Close()
}

func TestRun_stopsDuringHandshakeOnCancelOrTimeout(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	accepted := make(chan net.Conn, 1)
	go func() { // ends with the listener
		for {
			c, err := silent.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	type server struct{ url, missing string }
	for name, server := range map[string]server{
		"no answer to the upgrade": {"http://" + silent.Addr().String(), "no open packet"},
		"no open packet":           {wiretest.Serve(t, func(p *wiretest.Peer) { accepted <- p.WS.NetConn(); p.UntilGone() }), "no open packet"},
		"no answer to CONNECT": {wiretest.Serve(t, func(p *wiretest.Peer) {
			p.Send(wiretest.OpenPacket)
			p.Receive()
			accepted <- p.WS.NetConn()
			p.UntilGone()
		}), "no reply to CONNECT"},
	} {
		t.Run(name+", cancelled", func(t *testing.T) {
			_, ended, cancel := start(t, server.url, conn.Config{Transports: []string{conn.WebSocket}})
			defer wiretest.ReceiveFrom(t, accepted).Close()
			cancel()
			assert.NoError(t, wiretest.ReceiveFrom(t, ended))
		})
		t.Run(name+", out of time", func(t *testing.T) {
			_, ended, _ := start(t, server.url, conn.Config{
				Transports:       []string{conn.WebSocket},
				HandshakeTimeout: 300 * time.Millisecond,
				Reconnect:        noRetry,
			})
			defer wiretest.ReceiveFrom(t, accepted).Close()
			err := wiretest.ReceiveFrom(t, ended)
			assert.ErrorContains(t, err, "cannot connect: "+server.missing+" within 300ms")
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

func TestAuth_retriesUnlessErrorIsPermanent(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); p.UntilGone() })
	asked := 0
	down := errors.New("token service down")
	c, _, _ := start(t, url, conn.Config{Reconnect: soon, Auth: func(context.Context) (any, error) {
		if asked++; asked < 3 {
			return nil, down
		}
		return nil, nil
	}})
	require.NoError(t, c.Ready(t.Context()))

	_, ended, _ := start(t, url, conn.Config{Reconnect: soon, Auth: func(context.Context) (any, error) {
		return nil, reconnect.Permanent(down)
	}})
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, ended), down)
}

func TestAuth_reportsHandshakeTimeout(t *testing.T) {
	for name, auth := range map[string]func(ctx context.Context) (any, error){
		"its ctx": func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, ctx.Err() },
		"another": func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, errors.New("gave up") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, ended, _ := start(t, "http://localhost", conn.Config{Auth: auth, Reconnect: noRetry})
				err := wiretest.ReceiveFrom(t, ended)
				var failed *conn.AuthError
				assert.ErrorAs(t, err, &failed)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.ErrorContains(t, err, "no result within 20s")
			})
		})
	}
}

func TestAuth_acceptsOnlyObjectOrNil(t *testing.T) {
	connects := make(chan string, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) { connects <- p.Welcome(); p.UntilGone() })
	var none *struct{}
	for _, nothing := range []any{nil, none} {
		_, ended, cancel := start(t, url, conn.Config{Auth: func(context.Context) (any, error) { return nothing, nil }})
		assert.Equal(t, "40", wiretest.ReceiveFrom(t, connects))
		cancel()
		wiretest.ReceiveFrom(t, ended)
	}
	for _, wrong := range []any{"token", []int{1}, 1, make(chan int)} {
		t.Run(fmt.Sprintf("%T", wrong), func(t *testing.T) {
			_, ended, _ := start(t, url, conn.Config{Auth: func(context.Context) (any, error) { return wrong, nil }})
			var auth *conn.AuthError
			assert.ErrorAs(t, wiretest.ReceiveFrom(t, ended), &auth)
		})
	}
}
