package interop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/installed"
	"github.com/seed67206a74/parley/internal/nodetest"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// startNest starts the backend with NestJS.
func startNest(t *testing.T, env ...string) *backend {
	t.Helper()
	_, err := os.Stat("nest/node_modules/@nestjs/platform-socket.io")
	installed.Need(t, err, "make interop/nest/node_modules")
	return nodetest.StartProgram(t, []string{"node", "../nest/server.js"}, env...)
}

// nestAnswer returns the text of the answer to a message.
func nestAnswer(text string) string {
	var answer string
	for i := range 5 {
		answer += fmt.Sprintf("%s-%d ", text, i)
	}
	return answer
}

func TestNest_servesChat(t *testing.T) {
	t.Parallel()
	backend := startNest(t)
	for name, way := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := chat.New(backend.URL(), chat.Config{
				ChatID: events.StringID(name), JoinTimeout: time.Minute, ServerErrorEvent: "exception",
				Conn: conn.Config{Transports: way, Reconnect: soon},
			})
			require.NoError(t, err)
			welcome := chat.On[map[string]string](client, "welcome").Chan(t.Context())
			exceptions := client.ServerErrors.Chan(t.Context())
			wiretest.Run(t, client)
			ctx := wiretest.Context(t)
			assert.NotEmpty(t, wiretest.ReceiveFrom(t, welcome)["transport"])

			stream, err := client.Ask(ctx, chat.Question{UserID: user, Text: "question"})
			require.NoError(t, err)
			index := 0
			for token := range stream.Tokens() {
				assert.Equal(t, index, token.Index)
				index++
			}
			message, err := stream.Wait()
			require.NoError(t, err)
			assert.Equal(t, nestAnswer("question"), message.Text)

			// A handler acknowledges with its value, also in binary.
			text, err := conn.Call[string](ctx, client.Conn(), "echo", "caf\u00e9")
			require.NoError(t, err)
			assert.Equal(t, "caf\u00e9", text)
			data, err := conn.Call[[]byte](ctx, client.Conn(), "echo", []byte{1, 2})
			require.NoError(t, err)
			assert.Equal(t, []byte{1, 2}, data)
			reply, err := client.Deliver(ctx, events.UserMessage{UserID: user, MessageID: "m1", Text: "delivered"})
			require.NoError(t, err)
			assert.JSONEq(t, `{"ok":true,"messageId":"m1"}`, string(reply))

			// A value with a field "event" is an event.
			pong := chat.On[string](client, "pong").Chan(t.Context())
			require.NoError(t, client.Conn().Emit(ctx, "ping me", "data"))
			assert.Equal(t, "data", wiretest.ReceiveFrom(t, pong))

			// An exception is an event as well. Its event has no
			// acknowledgement, nor has that of a handler without a value.
			for text, want := range map[string]string{"/refuse": "the text is refused", "/crash": "Internal server error"} {
				require.NoError(t, client.SendMessage(ctx, events.UserMessage{UserID: user, MessageID: "m2", Text: text}))
				assert.Equal(t, want, wiretest.ReceiveFrom(t, exceptions).Message)
			}
			for _, event := range []string{"user:message", "silent"} {
				short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
				_, err = conn.Call[any](short, client.Conn(), event, map[string]string{"text": "/refuse"})
				cancel()
				var failed *conn.SendError
				require.ErrorAs(t, err, &failed)
				assert.ErrorIs(t, failed, context.DeadlineExceeded)
			}
			assert.EqualValues(t, 1, client.Stats().Conn.Sessions)
		})
	}
}

// The gateway answers each message, also one of SendMessage or Deliver. That
// answer is not the answer to the next question. If the answers have no
// requestId, one question may fail; each later question waits.
func TestNest_answersQuestionNotMessageBeforeIt(t *testing.T) {
	t.Parallel()
	for env, failures := range map[string]int{"REQUEST_ID=1": 0, "REQUEST_ID=0": 1} {
		backend := startNest(t, env)
		for name, send := range map[string]func(context.Context, *chat.Client, events.UserMessage) error{
			"SendMessage": func(ctx context.Context, client *chat.Client, m events.UserMessage) error {
				return client.SendMessage(ctx, m)
			},
			"Deliver": func(ctx context.Context, client *chat.Client, m events.UserMessage) error {
				_, err := client.Deliver(ctx, m)
				return err
			},
		} {
			t.Run(env+" "+name, func(t *testing.T) {
				t.Parallel()
				client, _ := startClient(t, backend.URL(), chat.Config{ChatID: events.StringID(name)})
				ctx := wiretest.Context(t)
				answers := client.Messages.Chan(t.Context())
				failed := 0
				for round := range 4 {
					before, question := fmt.Sprintf("message%d", round), fmt.Sprintf("question%d", round)
					require.NoError(t, send(ctx, client, events.UserMessage{
						UserID: user, MessageID: before, RequestID: before, Text: before,
					}))
					stream, err := client.Ask(ctx, chat.Question{UserID: user, Text: question})
					require.NoError(t, err)
					message, err := stream.Wait()
					if errors.Is(err, chat.ErrAmbiguous) {
						failed++
					} else {
						require.NoError(t, err)
						assert.Equal(t, nestAnswer(question), message.Text)
					}
					assert.ElementsMatch(t, []string{nestAnswer(before), nestAnswer(question)},
						[]string{wiretest.ReceiveFrom(t, answers).Text, wiretest.ReceiveFrom(t, answers).Text})
				}
				assert.LessOrEqual(t, failed, failures)
			})
		}
	}
}
