package conn_test

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRun_endsOnPermanentErrorUnlessRetryAllows(t *testing.T) {
	for name, tc := range map[string]struct {
		play  func(p *wiretest.Peer)
		check func(t *testing.T, err error)
	}{
		"a refusal with data": {
			func(p *wiretest.Peer) {
				p.Send(wiretest.OpenPacket)
				p.Receive()
				p.Send(`44{"message":"no","data":{"code":"E"}}`)
			},
			func(t *testing.T, err error) {
				var refused *conn.RefusedError
				require.ErrorAs(t, err, &refused)
				assert.Equal(t, "no", refused.Message)
				assert.JSONEq(t, `{"code":"E"}`, string(refused.Data))
			},
		},
		"a refusal as a string": {
			func(p *wiretest.Peer) { p.Send(wiretest.OpenPacket); p.Receive(); p.Send(`44"Invalid namespace"`) },
			func(t *testing.T, err error) {
				assert.EqualError(t, err, "conn: refused by the server: Invalid namespace")
			},
		},
		"a disconnect by the server": {
			func(p *wiretest.Peer) { p.Welcome(); p.Send(`41`); p.UntilGone() },
			func(t *testing.T, err error) { assert.ErrorIs(t, err, conn.ErrDisconnected) },
		},
		"a disconnect with a payload": {
			func(p *wiretest.Peer) { p.Welcome(); p.Send(`41{"why":"banned"}`); p.UntilGone() },
			func(t *testing.T, err error) {
				assert.ErrorIs(t, err, conn.ErrDisconnected)
				assert.ErrorContains(t, err, `{"why":"banned"}`)
			},
		},
		"a refusal after the reply": {
			func(p *wiretest.Peer) { p.Welcome(); p.Send(`44{"message":{"reason":"expired"}}`); p.UntilGone() },
			func(t *testing.T, err error) {
				var refused *conn.RefusedError
				require.ErrorAs(t, err, &refused)
				assert.Equal(t, `{"message":{"reason":"expired"}}`, string(refused.Payload))
			},
		},
		"an older protocol": {
			func(p *wiretest.Peer) { p.Send(wiretest.OpenPacket); p.Send(`40`); p.UntilGone() },
			func(t *testing.T, err error) { assert.ErrorIs(t, err, conn.ErrProtocolVersion) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			url := wiretest.Serve(t, tc.play)
			_, ended, _ := start(t, url, conn.Config{Reconnect: soon})
			tc.check(t, wiretest.ReceiveFrom(t, ended))
		})
		t.Run(name+", allowed by Retry", func(t *testing.T) {
			var times atomic.Int32
			url := wiretest.Serve(t, func(p *wiretest.Peer) {
				if times.Add(1) == 1 {
					tc.play(p)
					return
				}
				p.Welcome()
				p.UntilGone()
			})
			asked := make(chan error, 1)
			c, _, _ := start(t, url, conn.Config{Reconnect: soon, Retry: func(err error) bool { asked <- err; return true }})
			tc.check(t, wiretest.ReceiveFrom(t, asked))
			require.Eventually(t, func() bool { return c.Ready(t.Context()) == nil && times.Load() == 2 }, time.Minute, time.Millisecond)
		})
	}
}

func TestRun_endsOnHTTPRefusal(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"status 401":        {401, `no`, "conn: refused by the server with HTTP status 401: no"},
		"Engine.IO error 4": {400, `{"code":4,"message":"Forbidden"}`, "conn: refused by the server with HTTP status 400: Forbidden"},
		"Engine.IO error 5": {400, `{"code":5,"message":"Unsupported protocol version"}`, conn.ErrProtocolVersion.Error() + ": Engine.IO 3 (Unsupported protocol version)"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
			defer server.Close()
			_, ended, _ := start(t, server.URL, conn.Config{})
			assert.EqualError(t, wiretest.ReceiveFrom(t, ended), tc.want)
		})
	}
}

func TestRun_endsOnInvalidCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	_, ended, _ := start(t, server.URL, conn.Config{Reconnect: soon})
	var certificate *tls.CertificateVerificationError
	assert.ErrorAs(t, wiretest.ReceiveFrom(t, ended), &certificate)
}

func TestRun_reconnectsAfterMalformedPacket(t *testing.T) {
	for name, frame := range map[string]string{
		"an unknown engine type":          `9`,
		"a second open packet":            wiretest.OpenPacket,
		"an unknown socket type":          `49`,
		"an event without payload":        `42`,
		"an event that is an object":      `42{}`,
		"an event without a name":         `42[{}]`,
		"a reserved event name":           `42["connect_error"]`,
		"a heard event that is no JSON":   `42["heard",{]`,
		"a heard event that never ends":   `42["heard",{"a":"`,
		"something after a heard event":   `42["heard",1]]`,
		"an acknowledgement without id":   `43["x"]`,
		"an id of too many digits":        `42` + strings.Repeat("9", 40) + `["heard",1]`,
		"an attachment count of nonsense": `45x-["heard"]`,
		"attachments that do not come":    `451-["heard",{"_placeholder":true,"num":0}]`,
	} {
		t.Run(name, func(t *testing.T) {
			var times atomic.Int32
			url := wiretest.Serve(t, func(p *wiretest.Peer) {
				p.Welcome()
				if times.Add(1) == 1 {
					p.Send(frame)
					p.Send(`42["heard",1]`)
				} else {
					p.Send(`42["heard",2]`)
				}
				p.UntilGone()
			})
			c, err := conn.New(url, conn.Config{Reconnect: soon})
			require.NoError(t, err)
			heard := conn.On[int](c, "heard").Chan(t.Context())
			states := c.States.Chan(t.Context())
			wiretest.Run(t, c)
			assert.Equal(t, 2, wiretest.ReceiveFrom(t, heard), "events after the malformed packet are dropped")
			var waiting conn.State
			for waiting = range states {
				if waiting.Phase == conn.Waiting {
					break
				}
			}
			var protocol *conn.ProtocolError
			assert.ErrorAs(t, waiting.Err, &protocol)
		})
	}
}

func TestMaxFrame_endsSessionOnLargerFrame(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Send(`42["n","` + strings.Repeat("x", 2000) + `"]`)
		p.UntilGone()
	})
	_, ended, _ := start(t, url, conn.Config{MaxFrame: 1000, Reconnect: noRetry})
	assert.ErrorContains(t, wiretest.ReceiveFrom(t, ended), "protocol error: engine.io: message exceeds 1000 bytes")
}

func TestErrors_unwrapToCause(t *testing.T) {
	cause := errors.New("cause")
	for _, err := range []error{
		&conn.DialError{Err: cause}, &conn.TransportError{Err: cause}, &conn.ProtocolError{Err: cause},
		&conn.SendError{Err: cause}, conn.DecodeError{Err: cause},
	} {
		assert.ErrorIs(t, err, cause)
		assert.ErrorContains(t, err, "cause")
	}
}
