package interop

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each test checks a promise that the TypeScript client makes and does not
// keep. It compares the events that the server receives.

func TestPromise1_noJoinSendsNoJoinEvent(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{ChatID: room, NoJoin: true})
	require.NoError(t, client.MarkRead(wiretest.Context(t), events.Read{UserID: user, MessageIDs: []string{"m1"}}))
	reconnectClient(t, client)
	require.NoError(t, client.Abort(wiretest.Context(t), events.Abort{RequestID: "r1"}))
	assert.Equal(t, []string{"chat:read", "debug:close", "ai:abort"}, names(received(t, client)))
}

func TestPromise2_newNamesApplyToJoinsAndEvents(t *testing.T) {
	renamed := `NAMES={"JOIN":"room:enter","USER_MESSAGE":"say",` +
		`"AI_PROCESSING":"llm:status","AI_TOKEN":"llm:delta","AI_MESSAGE":"llm:final"}`
	answered := func(t *testing.T, client *chat.Client) {
		t.Helper()
		tokens := client.Tokens.Chan(t.Context())
		stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: "hi", MessageID: "m1", RequestID: "r1"})
		require.NoError(t, err)
		message, err := stream.Wait()
		require.NoError(t, err)
		assert.Equal(t, "You said: hi", message.Text)
		assert.Equal(t, "You ", wiretest.ReceiveFrom(t, tokens).Token)
		assert.Equal(t, events.StatusWorking, stream.Progress().Status.Status)
	}
	said := `say [{"chatId":"room-1","requestId":"r1","messageId":"m1","userId":"u1","text":"hi"}]`

	t.Run("by discovery", func(t *testing.T) {
		client, _ := startClient(t, startBackend(t, renamed).URL(), chat.Config{Discovery: chat.Discovery{Enabled: true}})
		answered(t, client)
		assert.Equal(t, []string{
			`meta:events:request [{"chatId":"room-1"}]`,
			`room:enter [{"chatId":"room-1"}]`, // already in the first join
			said,
		}, received(t, client))
		assert.Equal(t, "llm:delta", client.EventName(events.KeyAIToken))

		// The server renames events while the client is disconnected.
		require.NoError(t, client.Emit(wiretest.Context(t), "debug:rename", map[string]string{"JOIN": "room:come", "AI_TOKEN": "llm:piece"}))
		reconnectClient(t, client)
		stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: "again"})
		require.NoError(t, err)
		_, err = stream.Wait()
		require.NoError(t, err)
		assert.Equal(t, "You said: again", stream.Progress().Text, "from tokens")
		assert.Contains(t, received(t, client), `room:come [{"chatId":"room-1"}]`)
	})
	t.Run("by SetNames", func(t *testing.T) {
		client, _ := startClient(t, startBackend(t, renamed).URL(), chat.Config{})
		require.NoError(t, client.Ready(wiretest.Context(t)))
		require.NoError(t, client.SetNames(map[events.Key]string{
			events.KeyJoin: "room:enter", events.KeyUserMessage: "say",
			events.KeyAIProcessing: "llm:status", events.KeyAIToken: "llm:delta", events.KeyAIMessage: "llm:final",
		}))
		reconnectClient(t, client)
		answered(t, client)
		assert.Equal(t, []string{
			`chat:join [{"chatId":"room-1"}]`, // the name was not known yet
			`debug:close [{"chatId":"room-1"}]`,
			`room:enter [{"chatId":"room-1"}]`,
			said,
		}, received(t, client))
	})
}

func TestPromise3_reportsServerErrorsAndRefusedHandshakes(t *testing.T) {
	backend := startBackend(t)
	client, _ := startClient(t, backend.URL(), chat.Config{})
	failures := client.ServerErrors.Chan(t.Context())
	require.NoError(t, client.Emit(wiretest.Context(t), "debug:error", nil))
	failure := wiretest.ReceiveFrom(t, failures)
	assert.Equal(t, "something broke", failure.Message)
	assert.JSONEq(t, `{"code":"E_SERVER","message":"something broke"}`, string(failure.Raw))

	rejected, ended := startClient(t, backend.URL(), chat.Config{Conn: conn.Config{
		Auth: func(context.Context) (any, error) { return map[string]string{"token": "bad"}, nil },
	}})
	states := rejected.States.Chan(t.Context())
	var refused *conn.RefusedError
	require.ErrorAs(t, wiretest.ReceiveFrom(t, ended), &refused, "from Run")
	assert.Equal(t, "not authorised", refused.Message)
	assert.JSONEq(t, `{"code":"E_AUTH"}`, string(refused.Data))
	assert.Equal(t, refused, wiretest.ReceivePhase(t, states, conn.Stopped).Err, "on States")
	assert.ErrorIs(t, rejected.Ready(wiretest.Context(t)), refused, "from Ready")
	assert.Len(t, sockets(t, client), 1, "the rejected client has no socket")
}

func TestPromise4_runConnectsOnceAndCanRepeat(t *testing.T) {
	backend := startBackend(t)
	observer, _ := startClient(t, backend.URL(), chat.Config{ChatID: events.StringID("elsewhere")})
	require.Len(t, sockets(t, observer), 1)
	client, err := chat.New(backend.URL(), chat.Config{ChatID: room})
	require.NoError(t, err)
	defer client.Close()
	tokens := client.Tokens.Chan(t.Context())
	assert.Equal(t, conn.Idle, client.State().Phase)
	assert.Len(t, sockets(t, observer), 1, "New does not connect")

	for range 3 { // each Run delivers to the same subscription
		ctx, stop := context.WithCancel(t.Context())
		results := make(chan error, 5)
		var running sync.WaitGroup
		for range 5 {
			running.Go(func() { results <- client.Run(ctx) })
		}
		for range 4 {
			assert.ErrorIs(t, wiretest.ReceiveFrom(t, results), conn.ErrRunning)
		}
		require.NoError(t, client.Ready(wiretest.Context(t)))
		assert.ErrorIs(t, client.Run(t.Context()), conn.ErrRunning)
		live := []string{observer.State().SessionID, client.State().SessionID}
		assert.ElementsMatch(t, live, sockets(t, observer), "the client has one socket")

		stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: "/tokens 1 0"})
		require.NoError(t, err)
		assert.Equal(t, stream.RequestID(), wiretest.ReceiveFrom(t, tokens).RequestID)
		_, err = stream.Wait()
		require.NoError(t, err)
		stop()
		assert.NoError(t, wiretest.ReceiveFrom(t, results))
		running.Wait()
	}
	assert.Empty(t, tokens, "each token arrived once")
}

func TestPromise5_rawSubscriptionsOutliveSessions(t *testing.T) {
	client, err := chat.New(startBackend(t).URL(), chat.Config{NoJoin: true, Conn: conn.Config{Reconnect: soon}})
	require.NoError(t, err)
	defer client.Close()
	raw := chat.On[map[string]int](client, "echo").Chan(t.Context())
	wildcard := client.Raw.Chan(t.Context())
	states := client.States.Chan(t.Context())
	exchange := func(n int) {
		t.Helper()
		require.NoError(t, client.Conn().Emit(wiretest.Context(t), "echo", map[string]int{"n": n}, "and more"))
		assert.Equal(t, map[string]int{"n": n}, wiretest.ReceiveFrom(t, raw))
		event := wiretest.ReceiveFrom(t, wildcard)
		assert.Equal(t, "echo", event.Name)
		require.Len(t, event.Args, 2, "all arguments")
		assert.JSONEq(t, fmt.Sprintf(`{"n":%d}`, n), string(event.Args[0]))
		assert.Equal(t, `"and more"`, string(event.Args[1]))
	}
	for n := range 3 {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- client.Run(ctx) }()
		exchange(3 * n)
		require.NoError(t, client.Emit(wiretest.Context(t), "debug:close", nil))
		assert.ErrorAs(t, wiretest.ReceivePhase(t, states, conn.Waiting).Err, new(*conn.TransportError), "a lost connection is reported with its cause")
		exchange(3*n + 1)
		stop()
		require.NoError(t, wiretest.ReceiveFrom(t, ended))
		assert.NoError(t, wiretest.ReceivePhase(t, states, conn.Stopped).Err, "a disconnect is reported")
	}
	assert.Empty(t, raw, "each event arrived once")
	assert.Empty(t, wildcard)
}

func TestPromise6_matchesAnswersByRequestID(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	long, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: "/tokens 100000 1"})
	require.NoError(t, err)
	tokens := long.Tokens()
	wiretest.ReceiveFrom(t, tokens)
	for n := range 3 { // each is the last request while the first is answered
		short, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: fmt.Sprint("number ", n)})
		require.NoError(t, err)
		message, err := short.Wait()
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprint("You said: number ", n), message.Text)
		assert.Equal(t, message.Text, short.Progress().Text, "from tokens")
		assert.Equal(t, short.RequestID(), message.RequestID)
	}
	before := long.Progress()
	require.False(t, before.Ended)
	for index := 1; index < before.Tokens+10; index++ {
		token := wiretest.ReceiveFrom(t, tokens)
		require.Equal(t, long.RequestID(), token.RequestID)
		require.Equal(t, fmt.Sprintf("t%d ", index), token.Token)
	}
	long.Abort("")
}

func TestPromise7_abortStopsOnlyItsRequest(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	stopped := chat.On[struct{ RequestID string }](client, "debug:aborted").Chan(t.Context())
	ask := func(ctx context.Context, id string) *chat.Stream {
		stream, err := client.Ask(ctx, chat.Question{UserID: user, Text: "/tokens 100000 1", RequestID: id})
		require.NoError(t, err)
		wiretest.ReceiveFrom(t, stream.Tokens())
		return stream
	}
	ctx, cancel := context.WithCancel(wiretest.Context(t))
	defer cancel()
	var streams []*chat.Stream
	for _, id := range []string{"by ctx", "by the stream", "by the client", "not at all"} {
		which := wiretest.Context(t)
		if id == "by ctx" {
			which = ctx
		}
		streams = append(streams, ask(which, id))
	}
	cancel()
	assert.Equal(t, "by ctx", wiretest.ReceiveFrom(t, stopped).RequestID)
	streams[1].Abort("enough")
	assert.Equal(t, "by the stream", wiretest.ReceiveFrom(t, stopped).RequestID)
	require.NoError(t, client.Abort(wiretest.Context(t), events.Abort{RequestID: "by the client"}))
	assert.Equal(t, "by the client", wiretest.ReceiveFrom(t, stopped).RequestID)

	going := streams[3].Progress().Tokens
	for tokens := streams[3].Tokens(); going >= 0; going-- { // one token more than before
		wiretest.ReceiveFrom(t, tokens)
	}
	assert.Equal(t, []string{
		`ai:abort [{"chatId":"room-1","requestId":"by ctx"}]`,
		`ai:abort [{"chatId":"room-1","requestId":"by the stream","reason":"enough"}]`,
		`ai:abort [{"chatId":"room-1","requestId":"by the client"}]`,
	}, of(received(t, client), "ai:abort"))
	for _, stream := range streams[:3] {
		_, err := stream.Wait()
		assert.True(t, errors.Is(err, context.Canceled) || errors.Is(err, chat.ErrAborted), "%v", err)
	}
	streams[3].Abort("")
}

func TestPromise8_sendsMetaWithEveryEvent(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{
		Meta:      map[string]any{"tenant": "acme"},
		Discovery: chat.Discovery{Enabled: true},
	})
	chat.HandleTool(client, "search", func(context.Context, any) (int, error) { return 1, nil })
	ctx := wiretest.Context(t)
	require.NoError(t, client.SendMessage(ctx, events.UserMessage{MessageID: "m1", UserID: user, Text: "/tokens 1 0"}))
	_, err := client.Deliver(ctx, events.UserMessage{MessageID: "m2", UserID: user, Text: "/tokens 1 0"})
	require.NoError(t, err)
	require.NoError(t, client.TypingStart(ctx, user))
	require.NoError(t, client.TypingStop(ctx, user))
	require.NoError(t, client.Abort(ctx, events.Abort{RequestID: "r1"}))
	require.NoError(t, client.MarkRead(ctx, events.Read{UserID: user, MessageIDs: []string{"m1"}}))
	require.NoError(t, client.Emit(ctx, "custom:event", map[string]string{"hello": "world"}))
	require.NoError(t, client.Join(ctx, events.IntID(7)))
	require.NoError(t, client.Leave(ctx, events.IntID(7)))
	// The server sends a result of its own after it has called the client's
	// tool.
	reported := client.ToolResults.Chan(t.Context())
	require.NoError(t, client.SendMessage(ctx, events.UserMessage{MessageID: "m3", UserID: user, Text: "/tool"}))
	wiretest.ReceiveFrom(t, reported)

	all := received(t, client)
	for len(of(all, "ai:tool_result")) == 0 {
		all = received(t, client)
	}
	assert.Equal(t, []string{
		"meta:events:request", "chat:join", "user:message", "user:message", "user:typingStart", "user:typingStop", "ai:abort",
		"chat:read", "custom:event", "chat:join", "chat:leave", "user:message", "ai:tool_result",
	}, names(all))
	for _, line := range all {
		assert.Contains(t, line, `"tenant":"acme"`)
		assert.Contains(t, line, `"chatId":`)
	}
	assert.Equal(t, `meta:events:request [{"chatId":"room-1","tenant":"acme"}]`, all[0])
	assert.Equal(t, `chat:join [{"chatId":"room-1","tenant":"acme"}]`, all[1])
	assert.Equal(t, `chat:join [{"chatId":7,"tenant":"acme"}]`, all[9])
}

func TestPromise9_canReconnectAfterServerDisconnect(t *testing.T) {
	backend := startBackend(t)
	t.Run("by another Run", func(t *testing.T) {
		client, ended := startClient(t, backend.URL(), chat.Config{})
		require.NoError(t, client.Emit(wiretest.Context(t), "debug:disconnect", nil))
		require.ErrorIs(t, wiretest.ReceiveFrom(t, ended), conn.ErrDisconnected)
		ctx, stop := context.WithCancel(t.Context())
		states := client.States.Chan(t.Context())
		again := make(chan error, 1)
		go func() { again <- client.Run(ctx) }()
		// Before that, Ready may return the error of the previous Run.
		wiretest.ReceivePhase(t, states, conn.Ready)
		message, err := client.Answer(wiretest.Context(t), chat.Question{UserID: user, Text: "still there?"})
		require.NoError(t, err)
		assert.Equal(t, "You said: still there?", message.Text)
		stop()
		assert.NoError(t, wiretest.ReceiveFrom(t, again))
	})
	t.Run("by Config.Retry", func(t *testing.T) {
		client, _ := startClient(t, backend.URL(), chat.Config{ChatID: events.StringID("room-2"), Conn: conn.Config{
			Retry: func(err error) bool { return errors.Is(err, conn.ErrDisconnected) },
		}})
		require.NoError(t, client.Ready(wiretest.Context(t)))
		states := client.States.Chan(t.Context())
		require.NoError(t, client.Emit(wiretest.Context(t), "debug:disconnect", nil))
		assert.ErrorIs(t, wiretest.ReceivePhase(t, states, conn.Waiting).Err, conn.ErrDisconnected)
		message, err := client.Answer(wiretest.Context(t), chat.Question{UserID: user, Text: "still there?"})
		require.NoError(t, err)
		assert.Equal(t, "You said: still there?", message.Text)
		join := `chat:join [{"chatId":"room-2"}]`
		assert.Equal(t, []string{join, join}, of(received(t, client), `chat:join [{"chatId":"room-2"`))
	})
}
