package conn_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// payloadOf returns a polling payload of n events, each with its number.
func payloadOf(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(0x1e)
		}
		fmt.Fprintf(&b, `42["n",%d]`, i)
	}
	return b.String()
}

// onePayload is a polling server in memory. Its first response after the
// handshake holds the reply to CONNECT and the given packets.
type onePayload struct {
	packets string
	polls   atomic.Int32
}

func (o *onePayload) RoundTrip(r *http.Request) (*http.Response, error) {
	body := "ok"
	switch {
	case r.URL.Query().Get("sid") == "":
		body = wiretest.OpenPacket
	case r.Method == http.MethodPost:
	case o.polls.Add(1) == 1:
		body = "40{\"sid\":\"s\"}\x1e" + o.packets
	default:
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// Some servers send all waiting events in one response. The readers take a
// second for them.
func TestRun_deliversLargePayloadAtPaceOfReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count = 10_000
		c, err := conn.New("http://localhost", conn.Config{HTTP: &onePayload{packets: payloadOf(count)}})
		require.NoError(t, err)
		numbers := conn.On[int](c, "n").Subscribe(t.Context())
		raw := c.Raw.Subscribe(t.Context())
		wiretest.Run(t, c)
		for n := range count {
			if n%100 == 0 {
				time.Sleep(10 * time.Millisecond)
			}
			require.Equal(t, n, wiretest.ReceiveFrom(t, numbers.C()))
			require.Equal(t, "n", wiretest.ReceiveFrom(t, raw.C()).Name)
		}
		assert.NoError(t, numbers.Err())
		assert.NoError(t, raw.Err())
	})
}

// A subscription that is not read delays a large payload until the ping timeout
// at most. It fails then, and the others continue.
func TestRun_failsStuckReaderOfLargePayload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count = 10_000
		c, err := conn.New("http://localhost", conn.Config{HTTP: &onePayload{packets: payloadOf(count)}})
		require.NoError(t, err)
		stuck := conn.On[int](c, "n").Subscribe(t.Context())
		other := conn.On[float64](c, "n").Subscribe(t.Context(), bus.Limit(count))
		began := time.Now()
		wiretest.Run(t, c)
		for n := range count {
			require.EqualValues(t, n, wiretest.ReceiveFrom(t, other.C()))
		}
		assert.ErrorIs(t, stuck.Err(), bus.ErrSlowConsumer)
		assert.Equal(t, 20*time.Second, time.Since(began), "the ping timeout")
	})
}

func TestHandle_repliesWithSeveralArguments(t *testing.T) {
	for want, reply := range map[string]conn.Args{
		`430[1,{"a":2},null]`: {[]byte("1"), []byte(`{"a":2}`), nil},
		`430[]`:               nil,
	} {
		for name, result := range map[string]func() (conn.Args, error){
			"reply":      func() (conn.Args, error) { return reply, nil },
			"ReplyError": func() (conn.Args, error) { return nil, &conn.ReplyError{Reply: reply} },
		} {
			t.Run(want+" as "+name, func(t *testing.T) {
				acks := make(chan string, 1)
				url := wiretest.Serve(t, func(p *wiretest.Peer) {
					p.Welcome()
					p.Send(`420["ask"]`)
					acks <- p.Receive()
					p.UntilGone()
				})
				c, err := conn.New(url, conn.Config{})
				require.NoError(t, err)
				conn.Handle(c, "ask", func(context.Context, any) (conn.Args, error) { return result() })
				wiretest.Run(t, c)
				assert.Equal(t, want, wiretest.ReceiveFrom(t, acks))
			})
		}
	}
}

// A server with another parser closes the session upon CONNECT.
func TestRun_namesOtherParserIfCONNECTIsNotAccepted(t *testing.T) {
	for name, url := range map[string]string{
		"websocket": wiretest.Serve(t, func(p *wiretest.Peer) {
			p.Send(wiretest.OpenPacket)
			p.Receive()
			_ = p.WS.WriteMessage(websocket.CloseMessage, nil)
		}),
		"binary reply": wiretest.Serve(t, func(p *wiretest.Peer) {
			p.Send(wiretest.OpenPacket)
			p.Receive()
			p.SendBinary([]byte{0x83, 0xa4})
			p.UntilGone()
		}),
		"polling": wiretest.ServePolling(t, func(p *wiretest.PollingPeer) {
			p.Receive()
			p.Send("1")
		}),
	} {
		t.Run(name, func(t *testing.T) {
			transport := conn.WebSocket
			if name == "polling" {
				transport = conn.Polling
			}
			_, ended, _ := start(t, url, conn.Config{Transports: []string{transport}, Reconnect: noRetry})
			assert.ErrorContains(t, wiretest.ReceiveFrom(t, ended), "it may use another parser, such as msgpack")
		})
	}
}
