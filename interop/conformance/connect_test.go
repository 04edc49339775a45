package conformance

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const server = "conformance.js"

// handshake is the server's data about a socket.
type handshake struct {
	ID, Namespace, Transport, Extensions string
	Auth                                 map[string]any
	Query                                map[string]string
}

func TestConnect_reachesMainNamespace(t *testing.T) {
	conform(t, "connect", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		assert.Equal(r, "/", call[handshake](r, c, "handshake").Namespace)
		assert.Equal(r, conn.Ready, c.State().Phase)
	})
}

func TestNamespace_isPathOfURL(t *testing.T) {
	conform(t, "custom namespace", server, nil, func(r *row) {
		c, _ := r.client("/custom", nil)
		assert.Equal(r, "/custom", call[handshake](r, c, "handshake").Namespace)
	})
}

func TestSessionID_matchesServer(t *testing.T) {
	conform(t, "server id equals client id", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		h := call[handshake](r, c, "handshake")
		assert.NotEmpty(r, h.ID)
		assert.Equal(r, h.ID, c.State().SessionID)
	})
}

func TestAuth_sendsValue(t *testing.T) {
	conform(t, "auth as a value", server, nil, func(r *row) {
		c, _ := r.client("", func(cfg *conn.Config) {
			cfg.Auth = func(context.Context) (any, error) {
				return map[string]any{"token": "good", "nested": map[string]any{"n": 1}}, nil
			}
		})
		assert.Equal(r, map[string]any{"token": "good", "nested": map[string]any{"n": 1.0}}, call[handshake](r, c, "handshake").Auth)
	})
}

func TestAuth_isCalledForEachAttempt(t *testing.T) {
	conform(t, "auth from a function, called for each attempt", server, nil, func(r *row) {
		asked := 0
		c, _ := r.client("", func(cfg *conn.Config) {
			cfg.Auth = func(context.Context) (any, error) { asked++; return map[string]int{"n": asked}, nil }
		})
		assert.Equal(r, 1.0, call[handshake](r, c, "handshake").Auth["n"])
		states := c.States.Chan(r.ctx)
		r.provoke(c, "close")
		until(r, states, conn.Waiting)
		assert.Equal(r, 2.0, call[handshake](r, c, "handshake").Auth["n"])
	})
}

// until waits for a state of the given phase.
func until(r *row, states <-chan conn.State, phase conn.Phase) conn.State {
	for {
		if s := receive(r, states); s.Phase == phase {
			return s
		}
	}
}

func TestRefusedError_reportsRefusalInMainNamespace(t *testing.T) {
	conform(t, "refused in the main namespace", server, nil, func(r *row) {
		_, ended := r.client("", func(cfg *conn.Config) {
			cfg.Auth = func(context.Context) (any, error) { return map[string]string{"token": "bad"}, nil }
		})
		var refused *conn.RefusedError
		require.ErrorAs(r, receive(r, ended), &refused)
		assert.Equal(r, "not authorised", refused.Message)
		assert.JSONEq(r, `{"code":"E_AUTH"}`, string(refused.Data))
	})
}

func TestRefusedError_reportsRefusalInCustomNamespace(t *testing.T) {
	conform(t, "refused in a custom namespace", server, nil, func(r *row) {
		_, ended := r.client("/refused", nil)
		var refused *conn.RefusedError
		require.ErrorAs(r, receive(r, ended), &refused)
		assert.Equal(r, "members only", refused.Message)
		assert.JSONEq(r, `{"code":"E_MEMBER"}`, string(refused.Data))

		_, ended = r.client("/nowhere", nil)
		require.ErrorAs(r, receive(r, ended), &refused)
		assert.Equal(r, "Invalid namespace", refused.Message)
	})
}

func TestConfig_sendsQueryAndHeaderWithEveryRequest(t *testing.T) {
	conform(t, "query and headers on every request", server, nil, func(r *row) {
		c, _ := r.client("/custom?tenant=a%26b", func(cfg *conn.Config) {
			cfg.Query = url.Values{"version": {"2"}}
			cfg.Header = http.Header{"X-Key": {"secret"}}
		})
		h := call[handshake](r, c, "handshake")
		assert.Equal(r, "a&b", h.Query["tenant"])
		assert.Equal(r, "2", h.Query["version"])
		assert.Equal(r, "4", h.Query["EIO"])
		type request struct{ Method, URL, Key string }
		for _, req := range call[[]request](r, c, "requests") {
			assert.Equal(r, "secret", req.Key, req.Method)
			assert.Contains(r, req.URL, "tenant=a%26b")
			assert.Contains(r, req.URL, "version=2")
		}
	})
}

func TestRun_reportsUnsupportedProtocolVersion(t *testing.T) {
	conform(t, "a server with Engine.IO 3 only is reported", "version2.js", nil, func(r *row) {
		_, ended := r.client("", nil)
		err := receive(r, ended)
		assert.ErrorIs(r, err, conn.ErrProtocolVersion)
		assert.ErrorContains(r, err, "Engine.IO 3")
	})
}

func TestNoCompression_disablesPerMessageDeflate(t *testing.T) {
	conform(t, "compression on and off", server, []string{"PER_MESSAGE_DEFLATE=1"}, func(r *row) {
		for _, off := range []bool{false, true} {
			c, _ := r.client("", func(cfg *conn.Config) { cfg.NoCompression = off })
			large := make([]int, 50_000)
			assert.Equal(r, large, call[[]int](r, c, "echo", large))
			h := call[handshake](r, c, "handshake")
			if h.Transport == conn.WebSocket {
				assert.Equal(r, !off, h.Extensions == "permessage-deflate", h.Extensions)
			}
		}
	})
}

func TestEmit_rejectsReservedNames(t *testing.T) {
	conform(t, "reserved event names are refused", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
			var failed *conn.SendError
			require.True(r, errors.As(c.Emit(r.ctx, name), &failed), name)
			assert.False(r, failed.MaybeSent)
		}
		assert.Equal(r, 1, call[int](r, c, "echo", 1), "the session continues")
	})
}
