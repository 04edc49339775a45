package conn_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// soon retries without losing a test's time.
var soon = reconnect.Policy{InitialInterval: time.Millisecond, MaxInterval: time.Millisecond}

// noRetry ends Run with the first error.
var noRetry = reconnect.Policy{MaxAttempts: -1}

// start makes a connection and runs it until the test ends, or until the returned
// cancel is called; Run's result comes on the channel.
func start(t *testing.T, url string, cfg conn.Config) (c *conn.Conn, ended <-chan error, cancel context.CancelFunc) {
	t.Helper()
	c, err := conn.New(url, cfg)
	require.NoError(t, err)
	ended, cancel = wiretest.Run(t, c)
	return c, ended, cancel
}

func TestRun_reportsPhasesAndSendsFramesInOrder(t *testing.T) {
	frames := make(chan []string, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		connect := p.Welcome()
		frames <- append([]string{connect}, p.UntilGone()...)
	})
	c, err := conn.New(url, conn.Config{
		Join: conn.Join{Event: "chat:join", Payload: map[string]string{"chatId": "room-1"}},
		Auth: func(context.Context) (any, error) { return map[string]string{"token": "t1"}, nil },
	})
	require.NoError(t, err)
	assert.Equal(t, conn.Idle, c.State().Phase)
	states := c.States.Chan(t.Context())
	ended, cancel := wiretest.Run(t, c)

	assert.Equal(t, conn.State{Phase: conn.Connecting}, wiretest.ReceiveFrom(t, states))
	assert.Equal(t, conn.State{Phase: conn.Connected, SessionID: "socket-1"}, wiretest.ReceiveFrom(t, states))
	assert.Equal(t, conn.State{Phase: conn.Ready, SessionID: "socket-1"}, wiretest.ReceiveFrom(t, states))
	require.NoError(t, c.Ready(t.Context()))
	require.NoError(t, c.Emit(t.Context(), "hi", 1, "two", nil))

	cancel()
	assert.NoError(t, wiretest.ReceiveFrom(t, ended))
	assert.Equal(t, conn.State{Phase: conn.Stopped}, wiretest.ReceiveFrom(t, states))
	assert.Equal(t, []string{
		`40{"token":"t1"}`,
		`42["chat:join",{"chatId":"room-1"}]`,
		`42["hi",1,"two",null]`,
		`41`,
	}, wiretest.ReceiveFrom(t, frames), "CONNECT with auth, then the join, then the rest, then a goodbye")
}

func TestStates_sendsCurrentStateToNewSubscriber(t *testing.T) {
	c, _, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); p.UntilGone() }), conn.Config{})
	require.NoError(t, c.Ready(t.Context()))
	assert.Equal(t, conn.Ready, wiretest.ReceiveFrom(t, c.States.Chan(t.Context())).Phase)
}

func TestNew_takesNamespaceAndQueryFromURL(t *testing.T) {
	requests := make(chan *http.Request, 1)
	frames := make(chan []string, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		requests <- p.Request
		connect := p.Welcome()
		p.Send(`42["other","not for /admin"]`)
		p.Send(`42/admin,["greeting","hello"]`)
		frames <- append([]string{connect}, p.UntilGone()...)
	})
	c, err := conn.New(url+"/admin?tenant=acme", conn.Config{
		Path:   "/realtime/",
		Query:  map[string][]string{"consultationId": {"abc-123"}},
		Header: http.Header{"X-Api-Key": {"k1"}},
	})
	require.NoError(t, err)
	raw := c.Raw.Chan(t.Context())
	_, cancel := wiretest.Run(t, c)

	assert.Equal(t, "greeting", wiretest.ReceiveFrom(t, raw).Name)
	require.NoError(t, c.Emit(t.Context(), "hi"))
	cancel()
	assert.Equal(t, []string{`40/admin,`, `42/admin,["hi"]`, `41/admin,`}, wiretest.ReceiveFrom(t, frames))

	r := wiretest.ReceiveFrom(t, requests)
	assert.Equal(t, "/realtime/", r.URL.Path)
	assert.Equal(t, "EIO=4&consultationId=abc-123&tenant=acme&transport=websocket", r.URL.RawQuery)
	assert.Equal(t, "k1", r.Header.Get("X-Api-Key"))
}

func TestRun_keepsSubscriptionsAcrossReconnects(t *testing.T) {
	var sessions, asked atomic.Int32
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		n := sessions.Add(1)
		p.Welcome()
		p.Receive() // the join
		p.Send(`42["n",` + string('0'+rune(n)) + `]`)
		if n < 3 {
			p.Receive() // "next": then cut
			return
		}
		p.UntilGone()
	})
	c, err := conn.New(url, conn.Config{
		Reconnect: soon,
		Join:      conn.Join{Event: "join"},
		Auth:      func(context.Context) (any, error) { asked.Add(1); return nil, nil },
	})
	require.NoError(t, err)
	numbers := conn.On[int](c, "n").Chan(t.Context())
	wiretest.Run(t, c)
	for want := 1; want <= 3; want++ {
		assert.Equal(t, want, wiretest.ReceiveFrom(t, numbers))
		require.NoError(t, c.Emit(t.Context(), "next"))
	}
	assert.EqualValues(t, 3, asked.Load(), "auth is asked anew on each attempt")
}

func TestStates_reportsErrorAndDelayWhileWaiting(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	url := "http://" + listener.Addr().String()
	listener.Close() // nobody is there now

	c, err := conn.New(url, conn.Config{Reconnect: reconnect.Policy{MaxAttempts: 2, InitialInterval: time.Millisecond}})
	require.NoError(t, err)
	states := c.States.Chan(t.Context())
	ended, _ := wiretest.Run(t, c)

	for attempt := 1; attempt <= 2; attempt++ {
		assert.Equal(t, conn.Connecting, wiretest.ReceiveFrom(t, states).Phase)
		waiting := wiretest.ReceiveFrom(t, states)
		assert.Equal(t, conn.Waiting, waiting.Phase)
		assert.Equal(t, attempt, waiting.Attempt)
		assert.Positive(t, waiting.Delay)
		var dial *conn.DialError
		assert.ErrorAs(t, waiting.Err, &dial)
		assert.ErrorContains(t, waiting.Err, "refused")
	}
	var exhausted *reconnect.ExhaustedError
	err = wiretest.ReceiveFrom(t, ended)
	require.ErrorAs(t, err, &exhausted)
	assert.Equal(t, err, c.Ready(t.Context()), "Ready knows why Run ended")
	assert.ErrorIs(t, c.Emit(t.Context(), "x"), err)
}

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
		"being put out": {
			func(p *wiretest.Peer) { p.Welcome(); p.Send(`41`); p.UntilGone() },
			func(t *testing.T, err error) { assert.ErrorIs(t, err, conn.ErrDisconnected) },
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
		t.Run(name+", unless Retry says to go on", func(t *testing.T) {
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
			require.Eventually(t, func() bool { return c.Ready(t.Context()) == nil && times.Load() == 2 }, 20*time.Second, time.Millisecond)
		})
	}
}

func TestRun_endsOnHTTPRefusal(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		want   string
	}{
		{401, `no`, "conn: refused by the server with HTTP status 401"},
		{400, `{"code":4,"message":"Forbidden"}`, "conn: refused by the server with HTTP status 400: Forbidden"},
		{400, `{"code":5,"message":"Unsupported protocol version"}`, conn.ErrProtocolVersion.Error() + ": Engine.IO 3 (Unsupported protocol version)"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tc.status)
			_, _ = w.Write([]byte(tc.body))
		}))
		_, ended, _ := start(t, server.URL, conn.Config{})
		assert.EqualError(t, wiretest.ReceiveFrom(t, ended), tc.want)
		server.Close()
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
			assert.Equal(t, 2, wiretest.ReceiveFrom(t, heard), "nothing after the malformed packet is believed")
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

func TestReady_returnsProtocolErrorOnInvalidOpenPacket(t *testing.T) {
	for _, open := range []string{
		`0`, `0{}`, `0[]`, `4hello`, `x`,
		`0{"sid":"s","pingInterval":-1,"pingTimeout":1}`,
		`0{"sid":"s","pingInterval":1e300,"pingTimeout":1}`,
		`0{"sid":"s","pingInterval":25000}`,
	} {
		url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Send(open); p.UntilGone() })
		c, _, _ := start(t, url, conn.Config{Reconnect: noRetry})
		var protocol *conn.ProtocolError
		assert.ErrorAs(t, c.Ready(t.Context()), &protocol, open)
	}
}

func TestRun_answersPingsAndReportsPingTimeout(t *testing.T) {
	pongs := make(chan string, 2)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Send(`0{"sid":"e","pingInterval":20,"pingTimeout":30}`)
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
	for name, url := range map[string]string{
		"no answer to the upgrade": "http://" + silent.Addr().String(),
		"no open packet":           wiretest.Serve(t, func(p *wiretest.Peer) { accepted <- p.WS.NetConn(); p.UntilGone() }),
		"no answer to CONNECT": wiretest.Serve(t, func(p *wiretest.Peer) {
			p.Send(wiretest.OpenPacket)
			p.Receive()
			accepted <- p.WS.NetConn()
			p.UntilGone()
		}),
	} {
		t.Run(name+", cancelled", func(t *testing.T) {
			_, ended, cancel := start(t, url, conn.Config{Transports: []string{conn.WebSocket}})
			defer wiretest.ReceiveFrom(t, accepted).Close()
			cancel()
			assert.NoError(t, wiretest.ReceiveFrom(t, ended))
		})
		t.Run(name+", out of time", func(t *testing.T) {
			_, ended, _ := start(t, url, conn.Config{
				Transports:       []string{conn.WebSocket},
				HandshakeTimeout: 300 * time.Millisecond,
				Reconnect:        noRetry,
			})
			defer wiretest.ReceiveFrom(t, accepted).Close()
			assert.ErrorContains(t, wiretest.ReceiveFrom(t, ended), "cannot connect: no answer within 300ms")
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
		_, ended, _ := start(t, url, conn.Config{Auth: func(context.Context) (any, error) { return wrong, nil }})
		var auth *conn.AuthError
		assert.ErrorAs(t, wiretest.ReceiveFrom(t, ended), &auth)
	}
}

func TestRun_keepsSessionWhilePingsArrive(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Send(`0{"sid":"e","pingInterval":100,"pingTimeout":100}`)
		p.Receive()
		p.Send(`40{"sid":"s"}`)
		for range 20 { // for longer than the server's interval and grace
			p.Send(`2`)
			p.Receive()
			<-time.After(20 * time.Millisecond)
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
	const events, size = 400, 64 << 10 // more than what fits between the two ends
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Send(`0{"sid":"e","pingInterval":200,"pingTimeout":200}`)
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
				<-time.After(600 * time.Millisecond) // longer than interval and grace; nothing is read meanwhile
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

func TestReconnect_resetsAttemptsAfterStableSession(t *testing.T) {
	var sessions atomic.Int32
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		if sessions.Add(1) >= 5 {
			p.UntilGone()
		}
	})
	policy := soon
	policy.MaxAttempts, policy.StableAfter = 1, time.Nanosecond
	c, _, _ := start(t, url, conn.Config{Reconnect: policy})
	require.Eventually(t, func() bool { return sessions.Load() == 5 }, 20*time.Second, time.Millisecond)
	assert.NoError(t, c.Ready(t.Context()))
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

func TestWriteTimeout_endsSessionWithoutResending(t *testing.T) {
	release := make(chan struct{})
	frames := make(chan int, 2)
	var sessions atomic.Int32
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		if sessions.Add(1) == 1 {
			<-release // reads nothing
			return
		}
		frames <- len(p.UntilGone())
	})
	defer close(release)
	c, _, cancel := start(t, url, conn.Config{WriteTimeout: 100 * time.Millisecond, Reconnect: soon})
	var failed *conn.SendError
	for failed == nil { // until the buffers between the two ends are full
		err := c.Emit(t.Context(), "big", strings.Repeat("x", 1<<20))
		require.True(t, err == nil || errors.As(err, &failed))
	}
	assert.True(t, failed.MaybeSent)
	assert.ErrorIs(t, failed, conn.ErrSessionLost)
	assert.NotContains(t, failed.Error(), "\n")
	require.NoError(t, c.Ready(t.Context()))
	cancel()
	assert.Equal(t, 1, wiretest.ReceiveFrom(t, frames), "only the goodbye: what may have been sent is not sent again")
}

func TestRun_returnsDespiteBlockedStatesSubscriber(t *testing.T) {
	c, err := conn.New(wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); p.UntilGone() }), conn.Config{})
	require.NoError(t, err)
	states := c.States.Subscribe(context.Background(), bus.Limit(1), bus.OnOverflow(bus.Block))
	defer states.Close()
	ended, cancel := wiretest.Run(t, c)
	require.Eventually(t, func() bool { return states.Stats().Pending > 0 }, 20*time.Second, time.Millisecond)
	cancel()
	assert.NoError(t, wiretest.ReceiveFrom(t, ended))
}

func TestReady_returnsAfterStatesReportsReady(t *testing.T) {
	slow := slog.New(slog.NewTextHandler(writerFunc(func() { <-time.After(10 * time.Millisecond) }), &slog.HandlerOptions{Level: slog.LevelDebug}))
	c, _, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); p.UntilGone() }), conn.Config{Logger: slow})
	require.NoError(t, c.Ready(t.Context()))
	assert.Equal(t, conn.Ready, wiretest.ReceiveFrom(t, c.States.Chan(t.Context())).Phase)
}

type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) { f(); return len(p), nil }

func TestRun_allowsRepeatedButNotConcurrentCalls(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); p.Send(`42["n",1]`); p.UntilGone() })
	c, err := conn.New(url, conn.Config{})
	require.NoError(t, err)
	numbers := conn.On[int](c, "n").Chan(t.Context())
	for range 2 {
		ended, cancel := wiretest.Run(t, c)
		require.NoError(t, c.Ready(t.Context()))
		assert.ErrorIs(t, c.Run(t.Context()), conn.ErrRunning)
		assert.Equal(t, 1, wiretest.ReceiveFrom(t, numbers), "subscriptions live on")
		cancel()
		assert.NoError(t, wiretest.ReceiveFrom(t, ended))
	}
	require.NoError(t, c.Close())
	assert.ErrorIs(t, c.Run(t.Context()), conn.ErrClosed)
}

// The new Run has begun, and is held up before it can say so.
func TestReady_waitsForNewRun(t *testing.T) {
	c, ended, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); p.Send("41"); p.UntilGone() }), conn.Config{})
	require.ErrorIs(t, wiretest.ReceiveFrom(t, ended), conn.ErrDisconnected)
	require.ErrorIs(t, c.Ready(t.Context()), conn.ErrDisconnected)
	states := c.States.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.Block))
	again, cancel := wiretest.Run(t, c)
	require.Eventually(t, func() bool { return c.Stats().Attempts == 2 }, 10*time.Second, time.Millisecond)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	assert.ErrorIs(t, c.Ready(ctx), context.DeadlineExceeded)
	states.Close()
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, again), conn.ErrDisconnected)
	cancel()
	assert.ErrorIs(t, c.Ready(t.Context()), conn.ErrDisconnected)
}

func TestClose_endsRunCallsAndSubscriptions(t *testing.T) {
	called := make(chan string, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Send(`42["n",1]`)
		p.Send(`42["n",2]`)
		called <- p.Receive()
		p.UntilGone()
	})
	c, err := conn.New(url, conn.Config{})
	require.NoError(t, err)
	numbers := conn.On[int](c, "n").Subscribe(context.Background())
	all := c.Raw.Chan(context.Background())
	ended, _ := wiretest.Run(t, c)
	require.NoError(t, c.Ready(t.Context()))
	wiretest.ReceiveFrom(t, all)
	wiretest.ReceiveFrom(t, all)

	waiting := make(chan error, 1)
	go func() { _, err := conn.Call[any](context.Background(), c, "unanswered"); waiting <- err }()
	assert.Equal(t, `420["unanswered"]`, wiretest.ReceiveFrom(t, called))
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	assert.NoError(t, wiretest.ReceiveFrom(t, ended))
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, waiting), conn.ErrSessionLost)

	assert.Equal(t, 1, wiretest.ReceiveFrom(t, numbers.C()), "what is buffered is delivered")
	assert.Equal(t, 2, wiretest.ReceiveFrom(t, numbers.C()))
	_, open := <-numbers.C()
	assert.False(t, open)
	assert.ErrorIs(t, numbers.Err(), bus.ErrClosed)
	_, open = <-all
	assert.False(t, open)
	assert.ErrorIs(t, c.Ready(t.Context()), conn.ErrClosed)
	assert.ErrorIs(t, c.Emit(t.Context(), "x"), conn.ErrClosed)
	_, open = <-conn.On[int](c, "later").Chan(t.Context())
	assert.False(t, open, "a topic of a closed connection is closed")
}

func TestRun_returnsDespiteBlockedEventSubscriber(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		for range 10 {
			p.Send(`42["n",1]`)
		}
		p.UntilGone()
	})
	c, err := conn.New(url, conn.Config{})
	require.NoError(t, err)
	numbers := conn.On[int](c, "n").Subscribe(context.Background(), bus.Limit(1), bus.OnOverflow(bus.Block))
	ended, cancel := wiretest.Run(t, c)
	require.Eventually(t, func() bool { return numbers.Stats().Pending >= 1 }, 20*time.Second, time.Millisecond)
	cancel()
	assert.NoError(t, wiretest.ReceiveFrom(t, ended))
	numbers.Close()
}

func TestRun_returnsOnCancelDespiteBlockedWrite(t *testing.T) {
	release := make(chan struct{})
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); <-release }) // reads nothing any more
	defer close(release)
	c, ended, cancel := start(t, url, conn.Config{WriteTimeout: time.Hour})
	require.NoError(t, c.Ready(t.Context()))
	var failed *conn.SendError
	for failed == nil { // until the buffers between the two ends are full
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		err := c.Emit(ctx, "big", strings.Repeat("x", 1<<20))
		stop()
		require.True(t, err == nil || errors.As(err, &failed))
	}
	assert.True(t, failed.MaybeSent, "it is stuck in the socket now, and Run with it")
	cancel()
	assert.NoError(t, wiretest.ReceiveFrom(t, ended))
}

func TestMaxFrame_endsSessionOnLargerFrame(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Send(`42["n","` + strings.Repeat("x", 2000) + `"]`)
		p.UntilGone()
	})
	_, ended, _ := start(t, url, conn.Config{MaxFrame: 1000, Reconnect: noRetry})
	assert.ErrorContains(t, wiretest.ReceiveFrom(t, ended), "protocol error: engine.io: a message of more than 1000 bytes")
}
