package interop

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAsk_streamsTokensAndReturnsMessage(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	statuses := client.Processing.Chan(t.Context())
	echo := client.ChatMessages.Chan(t.Context())

	stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: "Hello, is there anybody?"})
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
	assert.Equal(t, events.StatusQueued, wiretest.ReceiveFrom(t, statuses).Status)
	assert.Equal(t, events.StatusWorking, wiretest.ReceiveFrom(t, statuses).Status)
	assert.Equal(t, user, wiretest.ReceiveFrom(t, echo).UserID)
}

func TestEvents_keepWireOrder(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	all := client.Events.Chan(t.Context())
	_, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: "/tokens 3000 0"})
	require.NoError(t, err)
	next := 0
	for {
		switch event := wiretest.ReceiveFrom(t, all).(type) {
		case events.AIToken:
			require.Equal(t, next, event.Index)
			next++
		case events.AIMessage:
			require.Equal(t, 3000, next, "the final message comes last")
			return
		}
	}
}

func TestAsk_abortsAnswerWhenContextEnds(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	aborted := chat.On[struct {
		RequestID string `json:"requestId"`
		Sent      int    `json:"sent"`
	}](client, "debug:aborted").Chan(t.Context())
	ctx, cancel := context.WithCancel(wiretest.Context(t))
	stream, err := client.Ask(ctx, chat.Question{UserID: user, Text: "/tokens 100000 1"})
	require.NoError(t, err)
	wiretest.ReceiveFrom(t, stream.Tokens())
	cancel()
	_, err = stream.Wait()
	assert.ErrorIs(t, err, context.Canceled)
	stopped := wiretest.ReceiveFrom(t, aborted)
	assert.Equal(t, stream.RequestID(), stopped.RequestID)
	assert.Less(t, stopped.Sent, 100000)
}

func TestAsk_abortsAnswerWhenClientStops(t *testing.T) {
	backend := startBackend(t)
	observer, _ := startClient(t, backend.URL(), chat.Config{ChatID: events.StringID("elsewhere")})
	for name, leave := range map[string]func(client *chat.Client, stop context.CancelFunc){
		"by the ctx of Run": func(_ *chat.Client, stop context.CancelFunc) { stop() },
		"by Close":          func(client *chat.Client, _ context.CancelFunc) { client.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			client, err := chat.New(backend.URL(), chat.Config{ChatID: room})
			require.NoError(t, err)
			ctx, stop := context.WithCancel(wiretest.Context(t))
			defer stop()
			ended := make(chan error, 1)
			go func() { ended <- client.Run(ctx) }()
			stream, err := client.Ask(ctx, chat.Question{UserID: user, Text: "/tokens 100000 1"})
			require.NoError(t, err)
			wiretest.ReceiveFrom(t, stream.Tokens())

			leave(client, stop)
			assert.NoError(t, wiretest.ReceiveFrom(t, ended))
			_, err = stream.Wait()
			assert.True(t, errors.Is(err, context.Canceled) || errors.Is(err, chat.ErrStopped), "%v", err)
			assert.Contains(t, received(t, observer), fmt.Sprintf(`ai:abort [{"chatId":"room-1","requestId":"%s"}]`, stream.RequestID()))
			client.Close()
		})
	}
}

func TestAsk_returnsAIError(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: "/error"})
	require.NoError(t, err)
	_, err = stream.Wait()
	var failure *events.AIError
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, "E_MODEL", failure.Code)
	assert.JSONEq(t, `{"text":"/error"}`, string(failure.Details))
}

func TestAsk_acceptsAnswerWithoutRequestID(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: "/noid"})
	require.NoError(t, err)
	message, err := stream.Wait()
	require.NoError(t, err)
	assert.Empty(t, message.RequestID)
	assert.Equal(t, "You said: /noid", message.Text)
}

func TestAsk_separatesConcurrentAnswers(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	var streams []*chat.Stream
	for n := range 10 {
		stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: fmt.Sprint("question ", n)})
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

func TestDecodeErrors_reportUnreadableIndex(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	failures := client.DecodeErrors.Chan(t.Context())
	stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: "/bad"})
	require.NoError(t, err)
	_, err = stream.Wait()
	require.ErrorIs(t, err, chat.ErrIndex, "the position of the token is not known")
	failure := wiretest.ReceiveFrom(t, failures)
	assert.Equal(t, "ai:token", failure.Event)
	assert.Contains(t, string(failure.Raw), `"index":"zero"`)
	var field *events.FieldError
	require.ErrorAs(t, failure, &field)
	assert.Equal(t, "index", field.Field)
}

func TestNames_applyToSentAndReceivedEvents(t *testing.T) {
	backend := startBackend(t, `NAMES={"JOIN":"room:enter","USER_MESSAGE":"say","AI_TOKEN":"llm:delta","AI_MESSAGE":"llm:final"}`)
	client, _ := startClient(t, backend.URL(), chat.Config{
		Names: map[events.Key]string{events.KeyJoin: "room:enter", events.KeyUserMessage: "say", events.KeyAIToken: "llm:delta"},
	})
	require.NoError(t, client.Ready(wiretest.Context(t)))
	require.NoError(t, client.SetNames(map[events.Key]string{events.KeyAIMessage: "llm:final"}))
	stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: "hi"})
	require.NoError(t, err)
	message, err := stream.Wait()
	require.NoError(t, err)
	assert.Equal(t, "You said: hi", message.Text)
}

func TestServerErrors_reportErrorEvent(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	failures := client.ServerErrors.Chan(t.Context())
	require.NoError(t, client.Emit(wiretest.Context(t), "debug:error", nil))
	failure := wiretest.ReceiveFrom(t, failures)
	assert.Equal(t, "something broke", failure.Message)
	assert.JSONEq(t, `{"code":"E_SERVER","message":"something broke"}`, string(failure.Raw))
}
