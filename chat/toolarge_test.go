package chat_test

import (
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// withAck matches an event that requests an acknowledgement.
var withAck = regexp.MustCompile(`^42(\d+)\[`)

// acknowledge returns the acknowledgements of the events in frames.
func acknowledge(frames string) string {
	var acks []string
	for frame := range strings.SplitSeq(frames, "\x1e") {
		if match := withAck.FindStringSubmatch(frame); match != nil {
			acks = append(acks, "43"+match[1]+`[{"ok":true}]`)
		}
	}
	return strings.Join(acks, "\x1e")
}

// A proxy has a size limit that the handshake does not name. A message over the
// limit fails with a TooLargeError and is not sent again; the message behind it
// is delivered.
func TestDeliver_failsForMessageThatProxyRefuses(t *testing.T) {
	const limit = 300
	var refused atomic.Int32
	urls := map[string]string{
		conn.WebSocket: wiretest.Serve(t, func(p *wiretest.Peer) {
			p.Welcome()
			for frame := p.Receive(); frame != ""; frame = p.Receive() {
				if len(frame) > limit {
					refused.Add(1)
					_ = p.WS.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseMessageTooBig, ""))
					return
				}
				if ack := acknowledge(frame); ack != "" {
					p.Send(ack)
				}
			}
		}),
		conn.Polling: wiretest.ServePolling(t, func(p *wiretest.PollingPeer) {
			p.Welcome()
			for post := p.Post(); post != nil; post = p.Post() {
				if len(post.Body) > limit {
					refused.Add(1)
					post.Answer(http.StatusRequestEntityTooLarge, "")
					continue
				}
				post.Answer(http.StatusOK, "ok")
				if ack := acknowledge(post.Body); ack != "" {
					p.Send(ack)
				}
			}
		}),
	}
	for _, transport := range []string{conn.WebSocket, conn.Polling} {
		t.Run(transport, func(t *testing.T) {
			refused.Store(0)
			client, err := chat.New(urls[transport], chat.Config{NoJoin: true, Conn: conn.Config{
				Transports: []string{transport}, Reconnect: reconnect.Policy{InitialInterval: time.Millisecond},
			}})
			require.NoError(t, err)
			wiretest.Run(t, client)
			ctx := wiretest.Context(t)
			large := make(chan error, 1)
			go func() { // ends with the delivery
				_, err := client.Deliver(ctx, events.UserMessage{UserID: events.StringID("u1"), Text: strings.Repeat("x", limit)})
				large <- err
			}()
			reply, err := client.Deliver(ctx, events.UserMessage{UserID: events.StringID("u1"), Text: "hi"})
			require.NoError(t, err)
			assert.JSONEq(t, `{"ok":true}`, string(reply))

			err = wiretest.ReceiveFrom(t, large)
			var failed *chat.DeliveryError
			require.ErrorAs(t, err, &failed)
			assert.False(t, failed.MaybeSent)
			var size *conn.TooLargeError
			require.ErrorAs(t, err, &size)
			assert.Greater(t, size.Size, int64(limit))
			assert.EqualValues(t, 1, refused.Load(), "it is sent once")
			assert.LessOrEqual(t, client.Stats().Conn.Sessions, uint64(2), "the session ends once")
		})
	}
}
