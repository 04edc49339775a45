package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	user = events.StringID("u1")
	room = events.StringID("room-1")
)

// startClient runs a client until the test ends.
func startClient(t *testing.T, url string, cfg chat.Config) (*chat.Client, <-chan error) {
	t.Helper()
	if cfg.ChatID.IsZero() && !cfg.NoJoin {
		cfg.ChatID = room
	}
	cfg.Conn.Reconnect = reconnect.Policy{InitialInterval: 10 * time.Millisecond, MaxInterval: 50 * time.Millisecond}
	client, err := chat.New(url, cfg)
	require.NoError(t, err)
	ended := make(chan error, 1)
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		ended <- client.Run(t.Context())
	}()
	t.Cleanup(func() {
		client.Close()
		<-returned
	})
	return client, ended
}

// received asks the backend for everything that it has received.
func received(t *testing.T, client *chat.Client) []string {
	t.Helper()
	type entry struct {
		Event string
		Args  []json.RawMessage
	}
	all, err := conn.Call[[]entry](within(t), client.Conn(), "debug:received")
	require.NoError(t, err)
	var lines []string
	for _, e := range all {
		lines = append(lines, fmt.Sprintf("%s %s", e.Event, e.Args))
	}
	return lines
}

func TestAQuestionIsAnswered(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	statuses := client.Processing.Chan(t.Context())
	echo := client.ChatMessages.Chan(t.Context())

	stream, err := client.Ask(within(t), chat.Question{UserID: user, Text: "Hello, is there anybody?"})
	require.NoError(t, err)
	var text strings.Builder
	n := 0
	for token := range stream.Tokens() {
		assert.Equal(t, n, token.Index)
		assert.Equal(t, stream.RequestID(), token.RequestID)
		text.WriteString(token.Token)
		n++
	}
	message, err := stream.Wait()
	require.NoError(t, err)
	assert.Equal(t, "You said: Hello, is there anybody?", message.Text)
	assert.Equal(t, message.Text, text.String())
	assert.Equal(t, "assistant", message.Role)
	assert.EqualValues(t, n, message.Usage.CompletionTokens)
	assert.Equal(t, events.StatusQueued, receiveFrom(t, statuses).Status)
	assert.Equal(t, events.StatusWorking, receiveFrom(t, statuses).Status)
	assert.Equal(t, user, receiveFrom(t, echo).UserID)
}

func TestEventsKeepTheOrderOfTheWire(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	all := client.Events.Chan(t.Context())
	_, err := client.Ask(within(t), chat.Question{UserID: user, Text: "/tokens 3000 0"})
	require.NoError(t, err)
	next := 0
	for {
		switch event := receiveFrom(t, all).(type) {
		case events.AIToken:
			require.Equal(t, next, event.Index)
			next++
		case events.AIMessage:
			require.Equal(t, 3000, next, "the final message comes last")
			return
		}
	}
}

func TestAServerKilledMidAnswerComesBack(t *testing.T) {
	backend := startBackend(t)
	client, _ := startClient(t, backend.URL(), chat.Config{})
	states := client.States.Chan(t.Context())
	tokens := client.Tokens.Chan(t.Context())
	ctx, cancel := context.WithCancel(within(t))
	interrupted, err := client.Ask(ctx, chat.Question{UserID: user, Text: "/tokens 100000 1"})
	require.NoError(t, err)
	for range 10 {
		receiveFrom(t, tokens)
	}

	backend.Kill()
	for receiveFrom(t, states).Phase != conn.Waiting {
	}
	backend.Start()
	require.NoError(t, client.Ready(within(t)))
	cancel()
	_, err = interrupted.Wait()
	assert.ErrorIs(t, err, context.Canceled)

	stream, err := client.Ask(within(t), chat.Question{UserID: user, Text: "again"})
	require.NoError(t, err)
	message, err := stream.Wait()
	require.NoError(t, err)
	assert.Equal(t, "You said: again", message.Text)
	for receiveFrom(t, tokens).RequestID != stream.RequestID() { // the subscription has lived on
	}
	assert.Equal(t, `chat:join [{"chatId":"room-1"}]`, received(t, client)[0], "the new process was joined first")
}

func TestARefusedHandshakeComesBackTyped(t *testing.T) {
	backend := startBackend(t)
	for _, tc := range []struct{ path, message, data string }{
		{"/", "not authorised", `{"code":"E_AUTH"}`},
		{"/admin", "admins only", `{"code":"E_ADMIN"}`},
	} {
		client, ended := startClient(t, backend.URL()+tc.path, chat.Config{Conn: conn.Config{
			Auth: func(context.Context) (any, error) { return map[string]string{"token": "bad"}, nil },
		}})
		var refused *conn.RefusedError
		require.ErrorAs(t, receiveFrom(t, ended), &refused)
		assert.Equal(t, tc.message, refused.Message)
		assert.JSONEq(t, tc.data, string(refused.Data))
		assert.ErrorIs(t, client.Ready(within(t)), refused)
		assert.Equal(t, conn.State{Phase: conn.Stopped, Err: refused}, receiveFrom(t, client.States.Chan(t.Context())))
	}
	_, ended := startClient(t, backend.URL()+"/nowhere", chat.Config{})
	assert.EqualError(t, receiveFrom(t, ended), "conn: refused by the server: Invalid namespace")
}

func TestAuthQueryAndHeadersReachTheServer(t *testing.T) {
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
	}](within(t), client.Conn(), "debug:handshake")
	require.NoError(t, err)
	assert.Equal(t, client.State().SessionID, handshake.ID)
	assert.Equal(t, map[string]any{"admin": true}, handshake.Auth)
	assert.Equal(t, "acme", handshake.Query["tenant"])
	assert.Equal(t, "t1", handshake.Headers["x-trace"])
}

func TestEverythingSentIsOneObjectWithChatIDAndMeta(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{
		ChatID:      events.IntID(7),
		Meta:        map[string]any{"tenant": "acme", "text": "overridden"},
		JoinPayload: map[string]int{"since": 5},
	})
	ctx := within(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	require.NoError(t, client.SendMessage(ctx, events.UserMessage{MessageID: "m1", UserID: user, Text: "/tokens 1 0"}))
	require.NoError(t, client.TypingStart(ctx, user))
	require.NoError(t, client.TypingStop(ctx, events.IntID(9)))
	require.NoError(t, client.Abort(ctx, events.Abort{RequestID: "r1", Reason: "enough"}))
	require.NoError(t, client.MarkRead(ctx, events.Read{UserID: user, MessageIDs: []string{"m1"}, ReadAt: at}))
	require.NoError(t, client.Emit(ctx, "custom:event", map[string]string{"hello": "world", "chatId": "elsewhere"}))
	require.NoError(t, client.Emit(ctx, "custom:none", nil))
	require.NoError(t, client.Emit(ctx, "custom:list", []int{1}))
	assert.Equal(t, []string{
		`chat:join [{"chatId":7,"since":5,"tenant":"acme","text":"overridden"}]`,
		`user:message [{"chatId":7,"messageId":"m1","tenant":"acme","text":"/tokens 1 0","userId":"u1"}]`,
		`user:typingStart [{"chatId":7,"tenant":"acme","text":"overridden","userId":"u1"}]`,
		`user:typingStop [{"chatId":7,"tenant":"acme","text":"overridden","userId":9}]`,
		`ai:abort [{"chatId":7,"reason":"enough","requestId":"r1","tenant":"acme","text":"overridden"}]`,
		`chat:read [{"chatId":7,"messageIds":["m1"],"readAt":"2026-01-02T03:04:05.6Z","tenant":"acme","text":"overridden","userId":"u1"}]`,
		`custom:event [{"chatId":"elsewhere","hello":"world","tenant":"acme","text":"overridden"}]`,
		`custom:none [{"chatId":7,"tenant":"acme","text":"overridden"}]`,
		`custom:list [[1]]`,
	}, received(t, client))
}

func TestABackendWithoutRoomsIsNotJoined(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{NoJoin: true})
	stream, err := client.Ask(within(t), chat.Question{UserID: user, Text: "hi", RequestID: "r1", MessageID: "m1"})
	require.NoError(t, err)
	message, err := stream.Wait()
	require.NoError(t, err)
	assert.Equal(t, "You said: hi", message.Text)
	assert.Equal(t, []string{`user:message [{"messageId":"m1","requestId":"r1","text":"hi","userId":"u1"}]`}, received(t, client))
}

func TestCancellingAQuestionStopsItsAnswer(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	aborted := chat.Topic[struct {
		RequestID string `json:"requestId"`
		Sent      int    `json:"sent"`
	}](client, "debug:aborted").Chan(t.Context())
	ctx, cancel := context.WithCancel(within(t))
	stream, err := client.Ask(ctx, chat.Question{UserID: user, Text: "/tokens 100000 1"})
	require.NoError(t, err)
	receiveFrom(t, stream.Tokens())
	cancel()
	_, err = stream.Wait()
	assert.ErrorIs(t, err, context.Canceled)
	stopped := receiveFrom(t, aborted)
	assert.Equal(t, stream.RequestID(), stopped.RequestID)
	assert.Less(t, stopped.Sent, 100000)
}

func TestAnAnswerIsAbortedHoweverItsClientEnds(t *testing.T) {
	backend := startBackend(t)
	observer, _ := startClient(t, backend.URL(), chat.Config{ChatID: events.StringID("elsewhere")})
	for name, leave := range map[string]func(client *chat.Client, stop context.CancelFunc){
		"by the ctx of Run": func(_ *chat.Client, stop context.CancelFunc) { stop() },
		"by Close":          func(client *chat.Client, _ context.CancelFunc) { client.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			client, err := chat.New(backend.URL(), chat.Config{ChatID: room})
			require.NoError(t, err)
			ctx, stop := context.WithCancel(within(t))
			defer stop()
			ended := make(chan error, 1)
			go func() { ended <- client.Run(ctx) }()
			stream, err := client.Ask(ctx, chat.Question{UserID: user, Text: "/tokens 100000 1"})
			require.NoError(t, err)
			receiveFrom(t, stream.Tokens())

			leave(client, stop)
			assert.NoError(t, receiveFrom(t, ended))
			_, err = stream.Wait()
			assert.True(t, errors.Is(err, context.Canceled) || errors.Is(err, chat.ErrStopped), "%v", err)
			assert.Contains(t, received(t, observer), fmt.Sprintf(`ai:abort [{"chatId":"room-1","requestId":"%s"}]`, stream.RequestID()))
			client.Close()
		})
	}
}

func TestWhatWaitsGoesOutUnderTheNameThatIsThenInForce(t *testing.T) {
	backend := startBackend(t)
	client, err := chat.New(backend.URL(), chat.Config{ChatID: room})
	require.NoError(t, err)
	sent := make(chan error, 1)
	go func() {
		sent <- client.SendMessage(within(t), events.UserMessage{MessageID: "m1", UserID: user, Text: "hi"})
	}()
	<-time.After(50 * time.Millisecond) // it waits for Ready; should it not yet, nothing is lost
	require.NoError(t, client.SetNames(map[events.Key]string{events.KeyUserMessage: "renamed"}))
	ended := make(chan error, 1)
	go func() { ended <- client.Run(t.Context()) }()
	require.NoError(t, receiveFrom(t, sent))
	assert.Contains(t, received(t, client), `renamed [{"chatId":"room-1","messageId":"m1","text":"hi","userId":"u1"}]`)
	client.Close()
	receiveFrom(t, ended)
}

func TestAnErrorOfTheBackendEndsTheStream(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	stream, err := client.Ask(within(t), chat.Question{UserID: user, Text: "/error"})
	require.NoError(t, err)
	_, err = stream.Wait()
	var failure *events.AIError
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, "E_MODEL", failure.Code)
	assert.JSONEq(t, `{"text":"/error"}`, string(failure.Details))
}

func TestAnAnswerWithoutRequestIDBelongsToTheOnlyQuestion(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	stream, err := client.Ask(within(t), chat.Question{UserID: user, Text: "/noid"})
	require.NoError(t, err)
	message, err := stream.Wait()
	require.NoError(t, err)
	assert.Empty(t, message.RequestID)
	assert.Equal(t, "You said: /noid", message.Text)
}

func TestQuestionsAtOnceDoNotMix(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	var streams []*chat.Stream
	for n := range 10 {
		stream, err := client.Ask(within(t), chat.Question{UserID: user, Text: fmt.Sprint("question ", n)})
		require.NoError(t, err)
		streams = append(streams, stream)
	}
	for n, stream := range streams {
		var text strings.Builder
		for piece, err := range stream.Text() {
			require.NoError(t, err)
			text.WriteString(piece)
		}
		assert.Equal(t, fmt.Sprint("You said: question ", n), text.String())
	}
}

func TestAPayloadOfTheWrongShapeIsReportedAndTheAnswerGoesOn(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	failures := client.DecodeErrors.Chan(t.Context())
	stream, err := client.Ask(within(t), chat.Question{UserID: user, Text: "/bad"})
	require.NoError(t, err)
	_, err = stream.Wait()
	require.NoError(t, err)
	failure := receiveFrom(t, failures)
	assert.Equal(t, "ai:token", failure.Event)
	assert.Contains(t, string(failure.Raw), `"index":"zero"`)
	var field *events.FieldError
	require.ErrorAs(t, failure, &field)
	assert.Equal(t, "index", field.Field)
}

func TestAToolCallIsAcknowledgedByItsHandler(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	type result struct {
		Found []string `json:"found"`
	}
	defer conn.Handle(client.Conn(), "ai:tool_call", func(_ context.Context, call events.AIToolCall) (result, error) {
		return result{Found: []string{call.ToolName, string(call.Args)}}, nil
	})()
	acked := chat.Topic[struct {
		Args []result `json:"args"`
	}](client, "tool:acked").Chan(t.Context())
	_, err := client.Ask(within(t), chat.Question{UserID: user, Text: "/toolack"})
	require.NoError(t, err)
	assert.Equal(t, []string{"search", `{"query":"/toolack"}`}, receiveFrom(t, acked).Args[0].Found)
}

func TestNamesChangeWhatIsSentAndWhatIsHeardLive(t *testing.T) {
	backend := startBackend(t, `NAMES={"JOIN":"room:enter","USER_MESSAGE":"say","AI_TOKEN":"llm:delta","AI_MESSAGE":"llm:final"}`)
	client, _ := startClient(t, backend.URL(), chat.Config{
		Names: map[events.Key]string{events.KeyJoin: "room:enter", events.KeyUserMessage: "say", events.KeyAIToken: "llm:delta"},
	})
	require.NoError(t, client.Ready(within(t)))
	require.NoError(t, client.SetNames(map[events.Key]string{events.KeyAIMessage: "llm:final"}))
	stream, err := client.Ask(within(t), chat.Question{UserID: user, Text: "hi"})
	require.NoError(t, err)
	message, err := stream.Wait()
	require.NoError(t, err)
	assert.Equal(t, "You said: hi", message.Text)
}

func TestTheServersOwnErrorsAreHeard(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	failures := client.ServerErrors.Chan(t.Context())
	require.NoError(t, client.Emit(within(t), "debug:error", nil))
	failure := receiveFrom(t, failures)
	assert.Equal(t, "something broke", failure.Message)
	assert.JSONEq(t, `{"code":"E_SERVER","message":"something broke"}`, string(failure.Raw))
}

func TestBeingPutOutEndsRunAndACutDoesNot(t *testing.T) {
	client, ended := startClient(t, startBackend(t).URL(), chat.Config{})
	require.NoError(t, client.Ready(within(t)))
	first := client.State().SessionID
	states := client.States.Chan(t.Context())
	require.NoError(t, client.Emit(within(t), "debug:cut", nil))
	for receiveFrom(t, states).Phase != conn.Waiting {
	}
	require.NoError(t, client.Ready(within(t)))
	assert.NotEqual(t, first, client.State().SessionID)

	require.NoError(t, client.Emit(within(t), "debug:kick", nil))
	assert.ErrorIs(t, receiveFrom(t, ended), conn.ErrDisconnected)
}

func TestPresenceIsHeard(t *testing.T) {
	backend := startBackend(t)
	auth := func(id string) conn.Config {
		return conn.Config{Auth: func(context.Context) (any, error) { return map[string]string{"userId": id}, nil }}
	}
	first, _ := startClient(t, backend.URL(), chat.Config{Conn: auth("u1")})
	presence := first.Presence.Chan(t.Context())
	require.NoError(t, first.Ready(within(t)))
	assert.Equal(t, []events.ID{events.StringID("u1")}, receiveFrom(t, presence).OnlineUserIDs)
	second, _ := startClient(t, backend.URL(), chat.Config{Conn: auth("u2")})
	require.NoError(t, second.Ready(within(t)))
	assert.ElementsMatch(t, []events.ID{events.StringID("u1"), events.StringID("u2")}, receiveFrom(t, presence).OnlineUserIDs)
	second.Close()
	assert.Equal(t, []events.ID{events.StringID("u1")}, receiveFrom(t, presence).OnlineUserIDs)
}
