package conn_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const limitOf100 = `0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100}`

// requireTooLarge asserts that err is a SendError for a message that the server
// has not received and cannot receive.
func requireTooLarge(t *testing.T, err error, want conn.TooLargeError) {
	t.Helper()
	var failed *conn.SendError
	require.ErrorAs(t, err, &failed)
	assert.False(t, failed.MaybeSent)
	var large *conn.TooLargeError
	require.ErrorAs(t, err, &large)
	assert.Equal(t, want, *large)
}

func TestEmit_rejectsMessageOverMaxPayload(t *testing.T) {
	frames := make(chan []string, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Send(limitOf100)
		p.Receive()
		p.Send(`40{"sid":"s"}`)
		p.Send(`421["ask"]`)
		frames <- []string{p.Receive(), p.Receive()}
		frames <- p.UntilGone()
	})
	c, err := conn.New(url, conn.Config{})
	require.NoError(t, err)
	conn.Handle(c, "ask", func(context.Context, any) (string, error) { return strings.Repeat("x", 100), nil })
	_, stop := wiretest.Run(t, c)
	ctx := t.Context()
	text := strings.Repeat("x", 90) // with 42["e",""] a message of 100 bytes
	requireTooLarge(t, c.Emit(ctx, "e", text+"x"), conn.TooLargeError{Size: 101, Limit: 100})
	_, err = conn.Call[string](ctx, c, "e", text)
	requireTooLarge(t, err, conn.TooLargeError{Size: 101, Limit: 100})
	requireTooLarge(t, c.TryEmit("e", text+"x"), conn.TooLargeError{Size: 101, Limit: 100})
	requireTooLarge(t, c.Emit(ctx, "e", make([]byte, 101)), conn.TooLargeError{Size: 101, Limit: 100})
	require.NoError(t, c.Emit(ctx, "e", text))
	assert.EqualValues(t, 1, c.Stats().Sessions, "the others keep the connection")
	assert.ElementsMatch(t, []string{`431[{"error":"conn: message of`, `42["e","` + text + `"]`}, shortened(wiretest.ReceiveFrom(t, frames)))
	stop()
	assert.Equal(t, []string{"41"}, wiretest.ReceiveFrom(t, frames))
}

// shortened cuts the acknowledgements, whose end is the text of an error.
func shortened(frames []string) []string {
	for i, frame := range frames {
		if strings.HasPrefix(frame, "43") {
			frames[i] = frame[:30]
		}
	}
	return frames
}

func TestAuth_rejectsPayloadOverMaxPayload(t *testing.T) {
	retries := make(chan error, 1)
	_, ended, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Send(limitOf100)
		assert.Empty(t, p.UntilGone())
	}), conn.Config{
		Auth:  func(context.Context) (any, error) { return map[string]string{"token": strings.Repeat("x", 100)}, nil },
		Retry: func(err error) bool { retries <- err; return false },
	})
	var auth *conn.AuthError
	var large *conn.TooLargeError
	err := wiretest.ReceiveFrom(t, ended)
	require.ErrorAs(t, err, &auth)
	require.ErrorAs(t, err, &large)
	assert.Equal(t, err, wiretest.ReceiveFrom(t, retries))
}

// The limit is not known: the server or a proxy refuses the message.
func TestCall_returnsTooLargeErrorIfServerRefusesMessage(t *testing.T) {
	refuse := func(p *wiretest.Peer) {
		p.Welcome()
		for {
			frame := p.Receive()
			if len(frame) < 100 {
				continue
			}
			_ = p.WS.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseMessageTooBig, ""))
			return
		}
	}
	var sessions atomic.Int32
	byWebSocket := wiretest.Serve(t, func(p *wiretest.Peer) {
		if sessions.Add(1) == 1 {
			refuse(p)
			return
		}
		p.Welcome()
		p.UntilGone()
	})
	byPolling := wiretest.ServePolling(t, func(p *wiretest.PollingPeer) {
		p.Welcome()
		for post := p.Post(); post != nil; post = p.Post() {
			if len(post.Body) > 100 {
				post.Answer(http.StatusRequestEntityTooLarge, "")
				continue
			}
			post.Answer(http.StatusOK, "ok")
		}
	})
	for transport, url := range map[string]string{conn.WebSocket: byWebSocket, conn.Polling: byPolling} {
		t.Run(transport, func(t *testing.T) {
			c, ended, _ := start(t, url, conn.Config{Reconnect: soon, Transports: []string{transport}})
			small := make(chan error, 1)
			require.NoError(t, c.Ready(t.Context()))
			go func() { // ends with the session
				_, err := conn.Call[string](t.Context(), c, "small")
				small <- err
			}()
			require.Eventually(t, func() bool { return c.Stats().Sent > 0 }, time.Minute, time.Millisecond)
			_, err := conn.Call[string](t.Context(), c, "large", strings.Repeat("x", 100))
			requireTooLarge(t, err, conn.TooLargeError{Size: int64(len(`421["large",""]`) + 100)})
			assert.ErrorIs(t, wiretest.ReceiveFrom(t, small), conn.ErrSessionLost, "it may have been received")
			require.NoError(t, c.Emit(t.Context(), "next"))
			assert.Empty(t, ended)
		})
	}
}
