package conn_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
)

// chunk is the unit of an endless response. It is allocated once, because the
// allocations of both ends are counted.
var chunk = strings.Repeat("x", 16<<10)

// Each row is a server that answers all requests, over either transport, with
// the same invalid handshake.
func TestRun_returnsTypedErrorOnHostileHandshake(t *testing.T) {
	var dial *conn.DialError
	var protocol *conn.ProtocolError
	// Only a timeout ends these.
	endless := []string{"half an answer, then silence", "half a body, then silence", "a byte at a time"}
	answer := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	}
	for name, tc := range map[string]struct {
		serve       http.HandlerFunc
		byPolling   any
		byWebSocket any
	}{
		"a redirect loop": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.String(), http.StatusFound)
		}, &dial, &dial},
		"half an answer, then silence": {hijacked(func(c io.Writer) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Ty") }), &dial, &dial},
		"half a body, then silence": {hijacked(func(c io.Writer) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0{\"sid\"")
		}), &dial, &dial},
		"a byte at a time": {hijacked(func(c io.Writer) {
			for {
				for _, b := range []byte("HTTP/1.1 200 OK\r\nX: ") {
					if _, err := c.Write([]byte{b}); err != nil {
						return
					}
					<-time.After(5 * time.Millisecond)
				}
			}
		}), &dial, &dial},
		"a body that never ends": {func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := io.WriteString(w, chunk); err != nil {
					return
				}
			}
		}, &protocol, &dial},
		"headers that never end": {hijacked(func(c io.Writer) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for n := 0; ; n++ {
				if _, err := fmt.Fprintf(c, "X-%d: %s\r\n", n, strings.Repeat("x", 1000)); err != nil {
					return
				}
			}
		}), &dial, &protocol},
		"an interval below zero": {answer(`0{"sid":"s","pingInterval":-1,"pingTimeout":1}`), &protocol, &dial},
		"an absurd interval":     {answer(`0{"sid":"s","pingInterval":1e300,"pingTimeout":1}`), &protocol, &dial},
		"broken JSON":            {answer(`0{"sid":`), &protocol, &dial},
		"a page":                 {answer(`<!DOCTYPE html>`), &protocol, &dial},
		"nothing":                {answer(``), &protocol, &dial},
	} {
		for transport, want := range map[string]any{conn.Polling: tc.byPolling, conn.WebSocket: tc.byWebSocket} {
			t.Run(name+" by "+transport, func(t *testing.T) {
				server := httptest.NewServer(tc.serve)
				defer server.Close()
				defer server.CloseClientConnections()
				allocated := allocates(func() {
					cfg := conn.Config{Transports: []string{transport}, MaxFrame: hostileLimit, Reconnect: noRetry}
					if slices.Contains(endless, name) {
						cfg.HandshakeTimeout = 300 * time.Millisecond
					}
					_, ended, _ := start(t, server.URL, cfg)
					assert.ErrorAs(t, wiretest.ReceiveFrom(t, ended), want)
				})
				assert.Less(t, allocated, uint64(hostileMemory))
			})
		}
	}
}

// hijacked calls write with the connection of a request.
func hijacked(write func(c io.Writer)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		write(c)
		_, _ = io.Copy(io.Discard, c) // until the client has gone
	}
}

// Each row is a server that violates the protocol of an open polling session.
// The first GET returns the open packet, the POST with CONNECT its reply.
func TestRun_returnsTypedErrorOnHostilePoll(t *testing.T) {
	var protocol *conn.ProtocolError
	var transport *conn.TransportError
	for name, tc := range map[string]struct {
		poll http.HandlerFunc
		want any
	}{
		"a body that never ends, in one packet": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "4")
			for {
				if _, err := io.WriteString(w, chunk); err != nil {
					return
				}
			}
		}, &protocol},
		"a body that never ends, of acknowledgements of nothing": {func(w http.ResponseWriter, _ *http.Request) {
			for range 100_000 {
				if _, err := io.WriteString(w, "4399[1]\x1e"); err != nil {
					return
				}
			}
			_, _ = io.WriteString(w, "9")
		}, &protocol},
		"binary when none is due": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "bAQI=") }, &protocol},
		"broken base64":           {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "b****") }, &protocol},
		"a type that is none":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "9") }, &protocol},
		"broken JSON":             {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `42["heard",{]`) }, &protocol},
		"a body of 64 MiB": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `42["heard","`)
			for range 64 << 6 {
				if _, err := io.WriteString(w, chunk); err != nil {
					return
				}
			}
		}, &protocol},
		"a redirect loop": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.String(), http.StatusFound)
		}, &transport},
		"an answer that breaks off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "6")
		}, &transport},
	} {
		t.Run(name, func(t *testing.T) {
			connected := make(chan struct{})
			polls := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodPost:
					if body, _ := io.ReadAll(r.Body); string(body) == "40" {
						close(connected)
					}
				case r.URL.Query().Get("sid") == "":
					_, _ = io.WriteString(w, wiretest.OpenPacket)
				case polls == 0:
					polls++
					<-connected
					_, _ = io.WriteString(w, `40{"sid":"s"}`)
				default:
					tc.poll(w, r)
				}
			}))
			defer server.Close()
			defer server.CloseClientConnections()
			allocated := allocates(func() {
				c, err := conn.New(server.URL, conn.Config{Transports: []string{conn.Polling}, MaxFrame: hostileLimit, Reconnect: noRetry})
				if !assert.NoError(t, err) {
					return
				}
				conn.On[any](c, "heard").Chan(t.Context())
				ended, _ := wiretest.Run(t, c)
				assert.ErrorAs(t, wiretest.ReceiveFrom(t, ended), tc.want)
			})
			assert.Less(t, allocated, uint64(hostileMemory))
		})
	}
}
