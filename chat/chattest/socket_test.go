package chattest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSocket_exposesHandshake(t *testing.T) {
	server := start(t, chattest.Config{})
	c, _, _ := client(t, server, conn.Config{
		Auth:   func(context.Context) (any, error) { return map[string]any{"userId": 5, "token": "t1"}, nil },
		Query:  url.Values{"tenant": {"acme"}},
		Header: http.Header{"X-Trace": {"t1"}},
	})
	require.NoError(t, c.Ready(t.Context()))
	sockets := server.Sockets()
	require.Len(t, sockets, 1)
	assert.Equal(t, c.State().SessionID, sockets[0].ID)
	assert.Equal(t, events.IntID(5), sockets[0].UserID())
	assert.Equal(t, map[string]any{"userId": json.Number("5"), "token": "t1"}, sockets[0].Auth)
	assert.Equal(t, "acme", sockets[0].Query.Get("tenant"))
	assert.Equal(t, "t1", sockets[0].Header.Get("X-Trace"))
}

func TestSockets_listsConnectedClients(t *testing.T) {
	server := start(t, chattest.Config{})
	assert.Empty(t, server.Sockets())
	_, heard := joined(t, server, "room-1", "ada")
	bob, _, stop := client(t, server, inRoom(events.StringID("room-1"), "bob"))
	require.NoError(t, bob.Ready(t.Context()))
	both := server.Sockets()
	require.Len(t, both, 2)
	assert.Equal(t, []events.ID{events.StringID("ada"), events.StringID("bob")}, []events.ID{both[0].UserID(), both[1].UserID()})
	stop()
	for len(as[events.Presence](t, wiretest.ReceiveFrom(t, heard)).OnlineUserIDs) == 2 {
	}
	assert.Equal(t, both[:1], server.Sockets())
	assert.ErrorIs(t, both[1].Emit(t.Context(), "hello"), chattest.ErrGone)
	_, err := both[1].Call(t.Context(), "hello")
	assert.ErrorIs(t, err, chattest.ErrGone)
	both[1].CloseNow() // has no effect
	both[1].Disconnect()
}

func TestSocket_sendsArbitraryArguments(t *testing.T) {
	server := start(t, chattest.Config{})
	_, heard := joined(t, server, "room-1", "ada")
	k := server.Sockets()[0]
	require.NoError(t, k.Emit(t.Context(), "ai:token", map[string]any{"token": 5, "index": "zero"}, "more"))
	require.NoError(t, k.Emit(t.Context(), "picture", []byte{1, 2}))
	require.NoError(t, k.Emit(t.Context(), "nothing"))
	wrong := wiretest.ReceiveFrom(t, heard)
	assert.JSONEq(t, `{"token":5,"index":"zero"}`, string(wrong.Args[0]))
	assert.Equal(t, `"more"`, string(wrong.Args[1]))
	assert.JSONEq(t, `{"_placeholder":true,"num":0}`, string(wiretest.ReceiveFrom(t, heard).Args[0]))
	assert.Empty(t, wiretest.ReceiveFrom(t, heard).Args)

	assert.ErrorContains(t, k.Emit(t.Context(), "bad", make(chan int)), "unsupported type")
	_, err := k.Call(t.Context(), "bad", make(chan int))
	assert.ErrorContains(t, err, "unsupported type")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, k.Emit(ended, "too late"), context.Canceled)
	_, err = k.Call(ended, "too late")
	assert.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, heard)
}

func TestCall_endsWithContextOrConnection(t *testing.T) {
	server := start(t, chattest.Config{})
	_, heard := joined(t, server, "room-1", "ada") // it does not acknowledge
	k := server.Sockets()[0]
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		wiretest.ReceiveFrom(t, heard)
		cancel()
		wiretest.ReceiveFrom(t, heard)
		k.CloseNow()
	}()
	_, err := k.Call(ctx, "well?")
	assert.ErrorIs(t, err, context.Canceled)
	_, err = k.Call(t.Context(), "well?")
	assert.ErrorIs(t, err, chattest.ErrGone)
}

func TestCloseNow_closesOnlyItsOwnConnection(t *testing.T) {
	server := start(t, chattest.Config{})
	ada, _ := joined(t, server, "room-1", "ada")
	bob, _ := joined(t, server, "room-2", "bob")
	statesOfAda, bobsSession := ada.States.Chan(t.Context()), bob.State().SessionID
	server.Sockets()[0].CloseNow()
	wiretest.ReceivePhase(t, statesOfAda, conn.Waiting)
	wiretest.ReceivePhase(t, statesOfAda, conn.Ready)
	assert.Equal(t, bobsSession, bob.State().SessionID)
}

func TestDisconnect_stopsClient(t *testing.T) {
	server := start(t, chattest.Config{Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
		emit(events.AIToken{Token: "Out"})
		chattest.SocketFromContext(ctx).Disconnect()
		emit(events.AIToken{Token: "too late", Index: 1})
	}})
	c, heard := joined(t, server, "room-1", "ada")
	states := c.States.Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "user:message", question("room-1", "r1")))
	until(t, heard, "ai:token")
	for {
		if state := wiretest.ReceiveFrom(t, states); state.Phase == conn.Stopped {
			assert.ErrorIs(t, state.Err, conn.ErrDisconnected)
			break
		}
	}
	assert.Empty(t, heard)
	assert.Empty(t, server.Sockets())
}

func TestCallTool_returnsClientResult(t *testing.T) {
	results := make(chan json.RawMessage, 1)
	server := start(t, chattest.Config{Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
		result, err := chattest.CallTool(ctx, events.AIToolCall{CallID: "c1", ToolName: "clock", Args: []byte(`{"zone":"UTC"}`)})
		assert.NoError(t, err)
		results <- result
	}})
	c, heard := joined(t, server, "room-1", "ada")
	defer conn.Handle(c, "ai:tool_call", func(_ context.Context, call events.AIToolCall) (string, error) {
		return call.ToolName + string(call.Args), nil
	})()
	ask(t, c, question("room-1", "r1"))
	_, ev := until(t, heard, "ai:tool_call")
	assert.Equal(t, events.Envelope{ChatID: events.StringID("room-1"), TraceID: "trace-r1", RequestID: "r1"},
		as[events.AIToolCall](t, ev).Envelope())
	assert.Equal(t, `"clock{\"zone\":\"UTC\"}"`, string(wiretest.ReceiveFrom(t, results)))
}

func TestSocketFromContext_returnsNilOutsideAnswer(t *testing.T) {
	assert.Nil(t, chattest.SocketFromContext(t.Context()))
	_, err := chattest.CallTool(t.Context(), events.AIToolCall{})
	assert.ErrorIs(t, err, chattest.ErrGone)
}

func TestEmit_sendsOnlyToRoom(t *testing.T) {
	server := start(t, chattest.Config{})
	_, heard := joined(t, server, "room-1", "ada")
	server.Emit(events.StringID("room-1"), events.ChatMessage{MessageID: "m1", UserID: events.StringID("bob"), Text: "Hello"})
	server.Emit(events.StringID("room-2"), events.ChatMessage{MessageID: "m2"})
	said := as[events.ChatMessage](t, wiretest.ReceiveFrom(t, heard))
	assert.Equal(t, events.StringID("room-1"), said.ChatID)
	assert.Equal(t, "Hello", said.Text)
	server.Close()
	server.Emit(events.StringID("room-1"), events.ChatMessage{MessageID: "m3"}) // has no effect
}

func TestMiddleware_canRejectRequests(t *testing.T) {
	server := start(t, chattest.Config{Middleware: func(backend http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "" {
				http.Error(w, "who are you?", http.StatusUnauthorized)
				return
			}
			backend.ServeHTTP(w, r)
		})
	}})
	known, _, _ := client(t, server, conn.Config{Header: http.Header{"Authorization": {"Bearer t1"}}})
	require.NoError(t, known.Ready(t.Context()))
	c, err := conn.New(server.URL, quiet)
	require.NoError(t, err)
	var refused *conn.RefusedError
	require.ErrorAs(t, c.Run(t.Context()), &refused)
	assert.Equal(t, http.StatusUnauthorized, refused.Status)
}
