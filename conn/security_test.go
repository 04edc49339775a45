package conn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Secrets that must not appear in any output.
const (
	secretURL, secretQuery   = "s3cr3t-url", "s3cr3t-query"
	secretHeader, secretAuth = "s3cr3t-header", "s3cr3t-auth"
)

var secrets = []string{secretURL, secretQuery, secretHeader, secretAuth}

// output collects the logs and errors of a connection, and searches them for
// secrets.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// print writes v in each format of fmt and slog.
func (o *output) print(vs ...any) {
	for _, v := range vs {
		fmt.Fprintf(o, "%v\n%+v\n%#v\n%s\n", v, v, v, v)
		if err, ok := v.(error); ok {
			for ; err != nil; err = errors.Unwrap(err) {
				fmt.Fprintf(o, "%+v %#v\n", err, err)
			}
		}
		slog.New(slog.NewJSONHandler(o, nil)).Info("printed", "value", v)
		slog.New(slog.NewTextHandler(o, nil)).Info("printed", "value", v)
	}
}

func (o *output) assertNoSecret(t *testing.T) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, secret := range secrets {
		assert.NotContains(t, o.text.String(), secret)
	}
}

func TestConfig_keepsSecretsOutOfLogsAndErrors(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	refusing := func(status int) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(server.Close)
		return server.URL
	}
	for name, address := range map[string]string{
		"a server that is not there": closed.URL,
		"a host that is not there":   "http://host.invalid",
		"a refusal":                  refusing(http.StatusUnauthorized),
		"a redirect":                 refusing(http.StatusFound),
		"an error":                   refusing(http.StatusBadGateway),
		"silence":                    wiretest.Serve(t, func(p *wiretest.Peer) { p.Send(wiretest.OpenPacket); p.UntilGone() }),
		"nonsense":                   wiretest.Serve(t, func(p *wiretest.Peer) { p.Send("nonsense") }),
		"a refused CONNECT": wiretest.Serve(t, func(p *wiretest.Peer) {
			p.Send(wiretest.OpenPacket)
			p.Receive()
			p.Send(`44{"message":"no"}`)
			p.UntilGone()
		}),
		"a session that is cut": wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome() }),
	} {
		for _, transport := range []string{conn.WebSocket, conn.Polling} {
			t.Run(name+" by "+transport, func(t *testing.T) {
				var out output
				cfg := conn.Config{
					Query:            url.Values{"token": {secretQuery}},
					Header:           http.Header{"Authorization": {secretHeader}, "Cookie": {"session=" + secretHeader}},
					Auth:             func(context.Context) (any, error) { return map[string]string{"token": secretAuth}, nil },
					Transports:       []string{transport},
					HandshakeTimeout: 100 * time.Millisecond,
					Reconnect:        reconnect.Policy{InitialInterval: time.Millisecond, MaxAttempts: 1},
					Logger:           slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})),
				}
				c, err := conn.New(address+"/?key="+secretURL, cfg)
				require.NoError(t, err)
				states := c.States.Chan(t.Context())
				sent := make(chan error, 1)
				go func() { sent <- c.Emit(t.Context(), "hello") }()
				err = c.Run(t.Context())
				require.Error(t, err)
				require.NoError(t, c.Close())
				out.print(cfg, c, err, <-sent, c.State(), struct {
					Config conn.Config
					Conn   *conn.Conn
				}{cfg, c})
				for state := range states {
					out.print(state)
				}
				assert.Contains(t, out.text.String(), "conn: connecting")
				out.assertNoSecret(t)
			})
		}
	}
}

func TestString_hidesQueryAndHeaders(t *testing.T) {
	c, err := conn.New("https://host:8443/admin?key="+secretURL, conn.Config{})
	require.NoError(t, err)
	assert.Equal(t, "conn https://host:8443/admin (idle)", fmt.Sprintf("%+v", c))
	assert.Contains(t, fmt.Sprint(conn.Config{Header: http.Header{"A": {"b"}}, Path: "/p/"}), `Path: "/p/", Query: 0 hidden, Header: 1 hidden, Auth: none`)
	var to conn.Endpoint
	assert.NotPanics(t, func() { _ = fmt.Sprintf("%v %#v", to, to) })
}

// Credentials are not sent to the target of a redirect.
func TestRun_doesNotFollowRedirects(t *testing.T) {
	elsewhere := make(chan *http.Request, 10)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { elsewhere <- r }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			http.Redirect(w, r, other.URL, status)
		}))
		defer server.Close()
		for _, transport := range []string{conn.WebSocket, conn.Polling} {
			t.Run(fmt.Sprint(status, " by ", transport), func(t *testing.T) {
				_, ended, _ := start(t, server.URL, conn.Config{
					Header:     http.Header{"Authorization": {secretHeader}},
					Transports: []string{transport}, Reconnect: noRetry,
				})
				assert.ErrorContains(t, wiretest.ReceiveFrom(t, ended), fmt.Sprint("unexpected HTTP status ", status))
			})
		}
	}
	assert.Empty(t, elsewhere)
}
