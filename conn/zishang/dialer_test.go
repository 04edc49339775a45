package zishang_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/conn/zishang"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// On import the client starts a goroutine that never ends.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/zishang520/socket.io/v3/pkg/utils.SetInterval.func1"))
}

// start runs a connection over the client until the test ends.
func start(t *testing.T, url string, cfg conn.Config) (*conn.Conn, <-chan error) {
	t.Helper()
	if cfg.Dialer == nil {
		cfg.Dialer = zishang.Dialer{}
	}
	if cfg.Transports == nil {
		cfg.Transports = []string{conn.WebSocket}
	}
	c, err := conn.New(url, cfg)
	require.NoError(t, err)
	ended, _ := wiretest.Run(t, c)
	return c, ended
}

func TestDialer_keepsEventsInOrder(t *testing.T) {
	const count = 10_000
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		for n := range count {
			assert.Equal(t, fmt.Sprintf(`42["n",%d]`, n), p.Receive())
			p.Send(fmt.Sprintf(`42["n",%d]`, n))
		}
		p.UntilGone()
	})
	c, _ := start(t, url, conn.Config{})
	numbers := conn.On[int](c, "n").Subscribe(t.Context(), bus.Limit(count)).C()
	for n := range count {
		require.NoError(t, c.Emit(t.Context(), "n", n))
	}
	for n := range count {
		require.Equal(t, n, wiretest.ReceiveFrom(t, numbers))
	}
}

func TestDialer_passesBinaryAndEmptyMessages(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		assert.Equal(t, `451-["b",{"_placeholder":true,"num":0}]`, p.Receive())
		assert.Equal(t, []byte{0, 1, 2}, p.ReceiveBinary())
		p.Send(`452-["b",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]`)
		p.SendBinary(nil)
		p.SendBinary([]byte{3})
		p.UntilGone()
	})
	c, _ := start(t, url, conn.Config{})
	bytes := conn.On[[]byte](c, "b").Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "b", []byte{0, 1, 2}))
	assert.Equal(t, []byte{3}, wiretest.ReceiveFrom(t, bytes))
}

// After a binary event without its attachment the client's own decoder rejects
// every further text packet.
func TestDialer_reconnectsAfterIncompleteBinaryEvent(t *testing.T) {
	var sessions atomic.Int32
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		if sessions.Add(1) == 1 {
			p.Send(`451-["n",{"_placeholder":true,"num":0}]`)
			return
		}
		p.Send(`42["n",2]`)
		p.UntilGone()
	})
	c, err := conn.New(url, conn.Config{
		Dialer: zishang.Dialer{}, Transports: []string{conn.WebSocket},
		Reconnect: reconnect.Policy{InitialInterval: time.Millisecond},
	})
	require.NoError(t, err)
	numbers := conn.On[int](c, "n").Chan(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = c.Run(ctx) }()
	assert.Equal(t, 2, wiretest.ReceiveFrom(t, numbers))
	cancel()
	<-done
	require.NoError(t, c.Close())
}

func TestDialer_reportsPingTimeoutAndProtocolErrors(t *testing.T) {
	noRetry := reconnect.Policy{MaxAttempts: -1}
	var protocol *conn.ProtocolError
	for name, tc := range map[string]struct {
		play func(p *wiretest.Peer)
		want any
	}{
		"a silent server": {func(p *wiretest.Peer) {
			p.Send(`0{"sid":"e","pingInterval":20,"pingTimeout":30}`)
			p.Receive()
			p.Send(`40{"sid":"s"}`)
			p.UntilGone()
		}, nil},
		"a bare 42":         {func(p *wiretest.Peer) { p.Welcome(); p.Send("42"); p.UntilGone() }, &protocol},
		"a bare message":    {func(p *wiretest.Peer) { p.Welcome(); p.Send("4"); p.UntilGone() }, &protocol},
		"too large a frame": {func(p *wiretest.Peer) { p.Welcome(); p.Send("4" + strings.Repeat("x", 2000)); p.UntilGone() }, &protocol},
	} {
		t.Run(name, func(t *testing.T) {
			_, ended := start(t, wiretest.Serve(t, tc.play), conn.Config{Reconnect: noRetry, MaxFrame: 1000})
			err := wiretest.ReceiveFrom(t, ended)
			if tc.want == nil {
				assert.ErrorIs(t, err, conn.ErrPingTimeout)
			} else {
				assert.ErrorAs(t, err, tc.want)
			}
		})
	}
}

func TestDial_returnsOnClose(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	accepted := make(chan net.Conn, 1)
	go func() { // ends with the listener
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	c, ended := start(t, "http://"+listener.Addr().String(), conn.Config{})
	silent := wiretest.ReceiveFrom(t, accepted)
	require.NoError(t, c.Close())
	require.NoError(t, wiretest.ReceiveFrom(t, ended))
	silent.Close() // ends the client's dial
	listener.Close()
}

// The client stops reading, so a server that sends without end blocks.
func TestDialer_appliesBackpressureToServer(t *testing.T) {
	stuck := make(chan struct{}, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		_ = p.WS.SetWriteDeadline(time.Now().Add(3 * time.Second))
		frame := []byte(`42["large","` + strings.Repeat("x", 1<<20) + `"]`)
		for p.WS.WriteMessage(1, frame) == nil {
		}
		stuck <- struct{}{}
	})
	c, _ := start(t, url, conn.Config{MaxFrame: 4 << 20})
	sub := conn.On[string](c, "large").Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.Block))
	wiretest.ReceiveFrom(t, stuck)
	sub.Close()
}

func TestDial_rejectsUnsupportedEndpoint(t *testing.T) {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	for want, to := range map[string]conn.Endpoint{
		"cookie jar":                        {Jar: jar},
		"set TLSClientConfig only":          {HTTP: http.DefaultTransport},
		"through a zishang_test.roundTrips": {HTTP: roundTrips{}},
	} {
		_, err := zishang.Dialer{}.Dial(t.Context(), to)
		assert.ErrorContains(t, err, want)
	}
	_, ended := start(t, "http://127.0.0.1:1", conn.Config{Transports: []string{"sse"}, Reconnect: reconnect.Policy{MaxAttempts: -1}})
	assert.ErrorContains(t, wiretest.ReceiveFrom(t, ended), "unknown transport")
}

type roundTrips struct{ http.RoundTripper }

func TestDialer_endsRunOnInvalidCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	_, ended := start(t, server.URL, conn.Config{})
	var bad *tls.CertificateVerificationError
	assert.ErrorAs(t, wiretest.ReceiveFrom(t, ended), &bad)
}
