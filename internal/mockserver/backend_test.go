package mockserver

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var room = events.StringID("room-1")

// serve runs a backend on a free port until the test ends.
func serve(t *testing.T, cfg Config) *Server {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	b, err := Start(cfg)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }() // ends with stop
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-ended)
	})
	return b
}

// enter starts a client that runs until the test ends. The channel receives the
// result of Run.
func enter(t *testing.T, url, user string, cfg chat.Config) (client *chat.Client, ended <-chan error) {
	t.Helper()
	cfg.ChatID = room
	cfg.Conn.Logger = slog.New(slog.DiscardHandler)
	cfg.Conn.Reconnect = reconnect.Policy{InitialInterval: time.Millisecond, MaxInterval: 20 * time.Millisecond}
	if cfg.Conn.Auth == nil {
		cfg.Conn.Auth = func(context.Context) (any, error) { return map[string]string{"userId": user}, nil }
	}
	client, err := chat.New(url, cfg)
	require.NoError(t, err)
	ended, _ = wiretest.Run(t, client)
	return client, ended
}

// joined makes a client that is in its room.
func joined(t *testing.T, url, user string, cfg chat.Config) *chat.Client {
	t.Helper()
	cfg.JoinTimeout = 30 * time.Second
	client, _ := enter(t, url, user, cfg)
	require.NoError(t, client.Ready(wiretest.Context(t)))
	return client
}

func ask(t *testing.T, client *chat.Client, text string) *chat.Stream {
	t.Helper()
	stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: events.StringID("ada"), Text: text})
	require.NoError(t, err)
	return stream
}

func TestMockserver_sendsStatusTokensAndUsage(t *testing.T) {
	b := serve(t, Config{})
	client := joined(t, b.URL(), "ada", chat.Config{})
	all := client.Events.Chan(t.Context())
	ask(t, client, "Hello there")

	assert.Equal(t, "Hello there", wiretest.ReceiveFrom(t, all).(events.ChatMessage).Text)
	assert.Equal(t, events.StatusQueued, wiretest.ReceiveFrom(t, all).(events.AIProcessing).Status)
	assert.Equal(t, events.StatusWorking, wiretest.ReceiveFrom(t, all).(events.AIProcessing).Status)
	var text strings.Builder
	for index := 0; ; index++ {
		switch event := wiretest.ReceiveFrom(t, all).(type) {
		case events.AIToken:
			assert.Equal(t, index, event.Index)
			text.WriteString(event.Token)
			continue
		case events.AIMessage:
			assert.Equal(t, text.String(), event.Text)
			assert.Equal(t, int64(2), event.Usage.PromptTokens)
			assert.Equal(t, int64(index), event.Usage.CompletionTokens)
			assert.NotEmpty(t, event.Options)
		default:
			require.FailNow(t, "unexpected", "%#v", event)
		}
		break
	}
}

func TestMockserver_relaysTypingAndReadsToOthers(t *testing.T) {
	b := serve(t, Config{Names: Names{events.KeyChatRead: "seen"}})
	ada := joined(t, b.URL(), "ada", chat.Config{Names: map[events.Key]string{events.KeyChatRead: "seen"}})
	bob := joined(t, b.URL(), "bob", chat.Config{})
	own := chat.On[events.Typing](ada, "user:typingStart").Chan(t.Context())
	begins := chat.On[events.Typing](bob, "user:typingStart").Chan(t.Context())
	ends := chat.On[events.Typing](bob, "user:typingStop").Chan(t.Context())
	reads := chat.On[events.Read](bob, "seen").Chan(t.Context())

	id := events.StringID("ada")
	require.NoError(t, ada.TypingStart(t.Context(), id))
	assert.Equal(t, id, wiretest.ReceiveFrom(t, begins).UserID)
	require.NoError(t, ada.TypingStop(t.Context(), id))
	assert.Equal(t, id, wiretest.ReceiveFrom(t, ends).UserID)
	require.NoError(t, ada.MarkRead(wiretest.Context(t), events.Read{UserID: id, MessageIDs: []string{"m1"}, ReadAt: time.Now()}))
	assert.Equal(t, []string{"m1"}, wiretest.ReceiveFrom(t, reads).MessageIDs)
	require.NoError(t, bob.TypingStart(t.Context(), events.StringID("bob")))
	assert.Equal(t, events.StringID("bob"), wiretest.ReceiveFrom(t, own).UserID, "not sent back to its sender")
}

func TestMockserver_stopsAbortedAnswer(t *testing.T) {
	b := serve(t, Config{Faults: Faults{Pace: Duration(time.Millisecond)}})
	client := joined(t, b.URL(), "ada", chat.Config{})
	bystander := joined(t, b.URL(), "bob", chat.Config{})
	tokens := bystander.Tokens.Chan(t.Context())
	finals := bystander.Messages.Chan(t.Context())
	stream := ask(t, client, "Tell me something long")
	wiretest.ReceiveFrom(t, stream.Tokens())
	_, err := conn.Call[any](wiretest.Context(t), client.Conn(), "ai:abort", events.Abort{ChatID: room, RequestID: stream.RequestID()})
	require.NoError(t, err)
	message, err := bystander.Answer(wiretest.Context(t), chat.Question{UserID: events.StringID("bob"), Text: "Still there?"})
	require.NoError(t, err)
	assert.Equal(t, message.MessageID, wiretest.ReceiveFrom(t, finals).MessageID, "the answer that was aborted has no message")
	assert.NotEmpty(t, wiretest.ReceiveFrom(t, tokens))
}

func TestMockserver_callsClientTool(t *testing.T) {
	b := serve(t, Config{})
	client := joined(t, b.URL(), "ada", withTools("clock"))
	defer chat.HandleTool(client, "clock", func(_ context.Context, args struct{ Zone string }) (map[string]string, error) {
		return map[string]string{"time": "12:00 " + args.Zone}, nil
	})()
	results := client.ToolResults.Chan(t.Context())
	message, err := ask(t, client, "What time is it?").Wait()
	require.NoError(t, err)
	assert.Contains(t, message.Text, `it says: {"time":"12:00 UTC"}`)
	assert.JSONEq(t, `{"time":"12:00 UTC"}`, string(wiretest.ReceiveFrom(t, results).Result))
}

// withTools returns the Config of a client that registers tools.
func withTools(tools ...string) chat.Config {
	auth := map[string]any{"userId": "ada", "tools": tools}
	return chat.Config{Conn: conn.Config{Auth: func(context.Context) (any, error) { return auth, nil }}}
}

func TestMockserver_callsRegisteredToolsOnly(t *testing.T) {
	b := serve(t, Config{})
	for _, cfg := range []chat.Config{{}, withTools("compass")} {
		client := joined(t, b.URL(), "ada", cfg)
		calls := client.ToolCalls.Chan(t.Context())
		message, err := ask(t, client, "What time is it?").Wait()
		require.NoError(t, err)
		assert.Contains(t, message.Text, "Register a tool")
		assert.Empty(t, calls)
	}
}

func TestMockserver_recoversAnswerAfterCut(t *testing.T) {
	b := serve(t, Config{Recovery: time.Minute, Faults: Faults{Pace: Duration(time.Millisecond), CutAfter: 10}})
	client := joined(t, b.URL(), "ada", chat.Config{})
	states := client.States.Chan(t.Context())
	stream := ask(t, client, "Tell me something long")
	index := 0
	for token := range stream.Tokens() {
		require.Equal(t, index, token.Index)
		index++
	}
	_, err := stream.Wait()
	require.NoError(t, err)
	assert.Equal(t, index, len(strings.SplitAfter(longText(), " ")))
	for state := wiretest.ReceiveFrom(t, states); !state.Recovered; state = wiretest.ReceiveFrom(t, states) {
	}
}

func TestMockserver_requiresToken(t *testing.T) {
	b := serve(t, Config{Token: "secret"})
	with := func(token string) chat.Config {
		return chat.Config{Conn: conn.Config{Auth: func(context.Context) (any, error) { return map[string]string{"token": token}, nil }}}
	}
	client, _ := enter(t, b.URL(), "", with("secret"))
	assert.NoError(t, client.Ready(wiretest.Context(t)))
	_, ended := enter(t, b.URL(), "", with("guess"))
	var refused *conn.RefusedError
	require.ErrorAs(t, wiretest.ReceiveFrom(t, ended), &refused)
	assert.Equal(t, "the token is not the right one", refused.Message)
}

func TestMockserver_announcesNamesByDiscovery(t *testing.T) {
	b := serve(t, Config{Names: Names{events.KeyUserMessage: "say", events.KeyAIToken: "llm:delta"}})
	client := joined(t, b.URL(), "ada", chat.Config{Discovery: chat.Discovery{Enabled: true}})
	tokens := client.Tokens.Chan(t.Context())
	_, err := ask(t, client, "Hello").Wait()
	require.NoError(t, err)
	assert.Equal(t, "You ", wiretest.ReceiveFrom(t, tokens).Token)
	assert.Equal(t, "llm:delta", client.EventName(events.KeyAIToken))
}

func TestMockserver_answersConcurrentQuestions(t *testing.T) {
	b := serve(t, Config{Recovery: time.Minute})
	var streams []*chat.Stream
	for n := range 5 {
		client := joined(t, b.URL(), fmt.Sprint("user-", n), chat.Config{})
		for range 4 {
			streams = append(streams, ask(t, client, fmt.Sprint("I am ", n)))
		}
	}
	for i, stream := range streams {
		message, err := stream.Wait()
		require.NoError(t, err)
		assert.Contains(t, message.Text, fmt.Sprintf("You said: “I am %d”.", i/4))
	}
}
