package conn_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The server's middleware can emit before the reply to CONNECT.
func TestRun_deliversEventsBeforeConnectReply(t *testing.T) {
	acks := make(chan string, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Send(wiretest.OpenPacket)
		p.Receive()
		p.Send(`42["text",1]`)
		p.Send(`451-["bytes",{"_placeholder":true,"num":0}]`)
		p.SendBinary([]byte{1, 2})
		p.Send(`427["ask","name"]`)
		p.Send(`42/other,["text",2]`)
		p.Send(`40{"sid":"s"}`)
		p.Send(`42["text",3]`)
		acks <- p.Receive()
		p.UntilGone()
	})
	c, err := conn.New(url, conn.Config{Transports: []string{conn.WebSocket}})
	require.NoError(t, err)
	all := c.Raw.Chan(t.Context())
	texts, bytes := conn.On[int](c, "text").Chan(t.Context()), conn.On[[]byte](c, "bytes").Chan(t.Context())
	conn.Handle(c, "ask", func(_ context.Context, name string) (string, error) { return "hello " + name, nil })
	wiretest.Run(t, c)

	assert.Equal(t, 1, wiretest.ReceiveFrom(t, texts))
	assert.Equal(t, 3, wiretest.ReceiveFrom(t, texts))
	assert.Equal(t, []byte{1, 2}, wiretest.ReceiveFrom(t, bytes))
	assert.Equal(t, `437["hello name"]`, wiretest.ReceiveFrom(t, acks))
	for _, want := range []string{"text", "bytes", "ask", "text"} {
		assert.Equal(t, want, wiretest.ReceiveFrom(t, all).Name)
	}
	require.NoError(t, c.Ready(t.Context()))
	assert.EqualValues(t, 1, c.Stats().Sessions)
}

func TestRun_deliversEventsBeforeConnectReplyOverPolling(t *testing.T) {
	url := wiretest.ServePolling(t, func(p *wiretest.PollingPeer) {
		p.Receive()
		p.Send("42[\"text\",1]\x1e451-[\"bytes\",{\"_placeholder\":true,\"num\":0}]\x1ebAQI=")
		p.Send("40{\"sid\":\"s\"}\x1e42[\"text\",2]")
	})
	c, err := conn.New(url, conn.Config{Transports: []string{conn.Polling}})
	require.NoError(t, err)
	texts, bytes := conn.On[int](c, "text").Chan(t.Context()), conn.On[[]byte](c, "bytes").Chan(t.Context())
	wiretest.Run(t, c)
	assert.Equal(t, 1, wiretest.ReceiveFrom(t, texts))
	assert.Equal(t, 2, wiretest.ReceiveFrom(t, texts))
	assert.Equal(t, []byte{1, 2}, wiretest.ReceiveFrom(t, bytes))
}

func TestRun_dropsEventsBeforeRefusal(t *testing.T) {
	var sessions atomic.Int32
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Send(wiretest.OpenPacket)
		p.Receive()
		if sessions.Add(1) == 1 {
			p.Send(`42["n",1]`)
			p.Send(`44{"message":"no"}`)
			return
		}
		p.Send(`42["n",2]`)
		p.Send(`40{"sid":"s"}`)
		p.UntilGone()
	})
	c, err := conn.New(url, conn.Config{Reconnect: soon, Retry: func(error) bool { return true }})
	require.NoError(t, err)
	numbers := conn.On[int](c, "n").Chan(t.Context())
	wiretest.Run(t, c)
	assert.Equal(t, 2, wiretest.ReceiveFrom(t, numbers))
}

func TestRun_limitsEventsBeforeConnectReply(t *testing.T) {
	for name, event := range map[string]string{
		"large": `42["n","` + strings.Repeat("x", 64<<10) + `"]`,
		"small": `42["n"]`,
	} {
		t.Run(name, func(t *testing.T) {
			url := wiretest.Serve(t, func(p *wiretest.Peer) {
				p.Send(wiretest.OpenPacket)
				p.Receive()
				for range hostileLimit / 128 {
					if p.WS.WriteMessage(1, []byte(event)) != nil {
						return
					}
				}
				p.UntilGone()
			})
			_, ended, _ := start(t, url, conn.Config{Reconnect: noRetry, MaxFrame: hostileLimit})
			assert.ErrorContains(t, wiretest.ReceiveFrom(t, ended), "before the reply to CONNECT exceed 1048576 bytes")
		})
	}
}

// Backends send any payload with a refusal.
func TestRefusedError_hasRawPayload(t *testing.T) {
	for payload, message := range map[string]string{
		`{"message":"no"}`:                     "no",
		`{"message":"no","data":{"code":1}}`:   "no",
		`{"message":{"reason":"expired"}}`:     "",
		`{"message":["expired"],"data":1}`:     "",
		`{"message":7}`:                        "",
		`{"message":null}`:                     "",
		`{"message":true}`:                     "",
		`{"Message":"no"}`:                     "",
		`{"message":"first","message":"last"}`: "last",
		`{"error":"expired"}`:                  "",
		`{"message":"cut \ud83d"}`:             "cut \ufffd",
		`{}`:                                   "",
		`"no"`:                                 "no",
		`["no"]`:                               "",
		`401`:                                  "",
		`false`:                                "",
		`null`:                                 "",
		`not JSON`:                             "",
		``:                                     "",
	} {
		for name, first := range map[string]string{"instead of the reply": "", "after it": `40{"sid":"s"}`} {
			t.Run(payload+" "+name, func(t *testing.T) {
				url := wiretest.Serve(t, func(p *wiretest.Peer) {
					p.Send(wiretest.OpenPacket)
					p.Receive()
					if first != "" {
						p.Send(first)
					}
					p.Send("44" + payload)
					p.UntilGone()
				})
				retries := make(chan error, 1)
				_, ended, _ := start(t, url, conn.Config{Retry: func(err error) bool { retries <- err; return false }})
				var refused *conn.RefusedError
				err := wiretest.ReceiveFrom(t, ended)
				require.ErrorAs(t, err, &refused)
				assert.Equal(t, message, refused.Message)
				assert.Equal(t, payload, string(refused.Payload))
				assert.Equal(t, err, wiretest.ReceiveFrom(t, retries))
				if message == "" {
					assert.ErrorContains(t, err, payload)
				}
			})
		}
	}
}

func TestRun_returnsErrDisconnectedWithPayload(t *testing.T) {
	for payload, want := range map[string]string{
		``:                 "conn: disconnected by the server",
		`{"why":"banned"}`: `conn: disconnected by the server: {"why":"banned"}`,
		`"banned"`:         `conn: disconnected by the server: "banned"`,
		`4001`:             `conn: disconnected by the server: 4001`,
	} {
		for name, first := range map[string]string{"instead of the reply": wiretest.OpenPacket, "after it": `40{"sid":"s"}`} {
			t.Run(payload+" "+name, func(t *testing.T) {
				url := wiretest.Serve(t, func(p *wiretest.Peer) {
					p.Send(wiretest.OpenPacket)
					p.Receive()
					if first != wiretest.OpenPacket {
						p.Send(first)
					}
					p.Send("41" + payload)
					p.UntilGone()
				})
				var asked []string
				_, ended, _ := start(t, url, conn.Config{
					Retry:     func(err error) bool { asked = append(asked, err.Error()); return len(asked) == 1 },
					Reconnect: reconnect.Policy{InitialInterval: time.Millisecond},
				})
				err := wiretest.ReceiveFrom(t, ended)
				assert.ErrorIs(t, err, conn.ErrDisconnected)
				assert.EqualError(t, err, want)
				assert.Equal(t, []string{want, want}, asked, "Retry decides")
			})
		}
	}
}

func TestRun_usesLastDuplicateMember(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Send(`0{"sid":1,"sid":"e","upgrades":["x"],"upgrades":[],"pingInterval":1,"pingInterval":25000,"pingTimeout":20000}`)
		p.Receive()
		p.Send(`40{"sid":"first","sid":"last"}`)
		p.UntilGone()
	})
	c, _, _ := start(t, url, conn.Config{Reconnect: noRetry})
	require.NoError(t, c.Ready(t.Context()))
	assert.Equal(t, "last", c.State().SessionID)
}

// Over polling a POST may hang while the GET reports the end of the session.
func TestRun_endsHangingPostWithItsSession(t *testing.T) {
	ends := map[string]struct {
		status int
		body   string
		want   string
	}{
		"status 500": {http.StatusInternalServerError, "", "status 500"},
		"CLOSE":      {http.StatusOK, "1", "closed by the server"},
		"DISCONNECT": {http.StatusOK, "41", conn.ErrDisconnected.Error()},
		"a refusal":  {http.StatusOK, `44{"message":"banned"}`, "banned"},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			url := wiretest.ServePolling(t, func(p *wiretest.PollingPeer) {
				p.Welcome()
				p.Post() // hangs
				p.Get().Answer(end.status, end.body)
			})
			c, ended, _ := start(t, url, conn.Config{Transports: []string{conn.Polling}, WriteTimeout: never, Reconnect: noRetry})
			assert.Error(t, c.Emit(t.Context(), "hi"))
			assert.ErrorContains(t, wiretest.ReceiveFrom(t, ended), end.want)
		})
		t.Run(name+" before the reply to CONNECT", func(t *testing.T) {
			url := wiretest.ServePolling(t, func(p *wiretest.PollingPeer) {
				p.Post() // hangs
				p.Get().Answer(end.status, end.body)
			})
			_, ended, _ := start(t, url, conn.Config{Transports: []string{conn.Polling}, WriteTimeout: never,
				HandshakeTimeout: never, Reconnect: noRetry})
			assert.ErrorContains(t, wiretest.ReceiveFrom(t, ended), end.want)
		})
	}
}

// never is longer than the tests run.
const never = 24 * time.Hour
