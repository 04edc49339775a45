package interop

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestServerRestart_reconnectsAndRejoins(t *testing.T) {
	backend := startBackend(t)
	client, _ := startClient(t, backend.URL(), chat.Config{})
	states := client.States.Chan(t.Context())
	tokens := client.Tokens.Chan(t.Context())
	ctx, cancel := context.WithCancel(wiretest.Context(t))
	interrupted, err := client.Ask(ctx, chat.Question{UserID: user, Text: "/tokens 100000 1"})
	require.NoError(t, err)
	for range 10 {
		wiretest.ReceiveFrom(t, tokens)
	}

	backend.Kill()
	for wiretest.ReceiveFrom(t, states).Phase != conn.Waiting {
	}
	backend.Start()
	require.NoError(t, client.Ready(wiretest.Context(t)))
	cancel()
	_, err = interrupted.Wait()
	assert.ErrorIs(t, err, context.Canceled)

	stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: "again"})
	require.NoError(t, err)
	message, err := stream.Wait()
	require.NoError(t, err)
	assert.Equal(t, "You said: again", message.Text)
	// The subscription remains across the restart.
	for wiretest.ReceiveFrom(t, tokens).RequestID != stream.RequestID() {
	}
	assert.Equal(t, `chat:join [{"chatId":"room-1"}]`, received(t, client)[0], "the first event of the new process is the join")
}

func TestRun_returnsRefusedError(t *testing.T) {
	backend := startBackend(t)
	for _, tc := range []struct{ path, message, data string }{
		{"/", "not authorised", `{"code":"E_AUTH"}`},
		{"/admin", "admins only", `{"code":"E_ADMIN"}`},
	} {
		t.Run(tc.path, func(t *testing.T) {
			client, ended := startClient(t, backend.URL()+tc.path, chat.Config{Conn: conn.Config{
				Auth: func(context.Context) (any, error) { return map[string]string{"token": "bad"}, nil },
			}})
			var refused *conn.RefusedError
			require.ErrorAs(t, wiretest.ReceiveFrom(t, ended), &refused)
			assert.Equal(t, tc.message, refused.Message)
			assert.JSONEq(t, tc.data, string(refused.Data))
			assert.ErrorIs(t, client.Ready(wiretest.Context(t)), refused)
			state := wiretest.ReceiveFrom(t, client.States.Chan(t.Context()))
			state.Since = time.Time{}
			assert.Equal(t, conn.State{Phase: conn.Stopped, Err: refused}, state)
		})
	}
	t.Run("/nowhere", func(t *testing.T) {
		_, ended := startClient(t, backend.URL()+"/nowhere", chat.Config{})
		assert.EqualError(t, wiretest.ReceiveFrom(t, ended), "conn: refused by the server: Invalid namespace")
	})
}

func TestConfig_sendsAuthQueryAndHeaders(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL()+"/admin", chat.Config{Conn: conn.Config{
		Auth:   func(context.Context) (any, error) { return map[string]any{"admin": true}, nil },
		Query:  url.Values{"tenant": {"acme"}},
		Header: http.Header{"X-Trace": {"t1"}},
	}})
	handshake, err := conn.Call[struct {
		ID      string
		Auth    map[string]any
		Query   map[string]string
		Headers map[string]string
	}](wiretest.Context(t), client.Conn(), "debug:handshake")
	require.NoError(t, err)
	assert.Equal(t, client.State().SessionID, handshake.ID)
	assert.Equal(t, map[string]any{"admin": true}, handshake.Auth)
	assert.Equal(t, "acme", handshake.Query["tenant"])
	assert.Equal(t, "t1", handshake.Headers["x-trace"])
}

func TestRun_endsOnDisconnectNotOnLostConnection(t *testing.T) {
	client, ended := startClient(t, startBackend(t).URL(), chat.Config{})
	require.NoError(t, client.Ready(wiretest.Context(t)))
	first := client.State().SessionID
	states := client.States.Chan(t.Context())
	require.NoError(t, client.Emit(wiretest.Context(t), "debug:close", nil))
	for wiretest.ReceiveFrom(t, states).Phase != conn.Waiting {
	}
	require.NoError(t, client.Ready(wiretest.Context(t)))
	assert.NotEqual(t, first, client.State().SessionID)

	require.NoError(t, client.Emit(wiretest.Context(t), "debug:disconnect", nil))
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, ended), conn.ErrDisconnected)
}
