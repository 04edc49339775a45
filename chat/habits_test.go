package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The habits of backends that differ from the contract, on real sockets.

// backend starts a backend that answers each question with answer, which emits
// any payload, and a client that runs until the test ends.
func backend(t *testing.T, cfg chat.Config, answer func(ctx context.Context, k *chattest.Socket, q events.UserMessage)) *chat.Client {
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, q events.UserMessage, _ func(events.Event)) {
			answer(ctx, chattest.SocketFromContext(ctx), q)
		},
	})
	t.Cleanup(server.Close)
	if cfg.ChatID.IsZero() {
		cfg.ChatID = events.StringID("42")
	}
	cfg.Conn.Logger = slog.New(slog.DiscardHandler)
	client, err := chat.New(server.URL, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	wiretest.Run(t, client)
	return client
}

func askHi(t *testing.T, client *chat.Client) (*chat.Stream, error) {
	return client.Ask(wiretest.Context(t), chat.Question{UserID: events.StringID("u1"), Text: "hi"})
}

// payload decodes JSON in which a %q is replaced by the request id.
func payload(format string, q events.UserMessage) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(format, q.RequestID))
}

func TestAnswer_acceptsHabitsOfBackends(t *testing.T) {
	for name, message := range map[string]string{
		"createdAt without a zone":  `{"requestId":%q,"messageId":"m","role":"assistant","text":"hi","createdAt":"2026-03-04T05:06:07.123"}`,
		"createdAt in milliseconds": `{"requestId":%q,"messageId":"m","role":"assistant","text":"hi","createdAt":1772600767123}`,
		"createdAt in seconds":      `{"requestId":%q,"messageId":"m","role":"assistant","text":"hi","createdAt":1772600767}`,
		"no createdAt":              `{"requestId":%q,"messageId":"m","role":"assistant","text":"hi"}`,
		"unreadable createdAt":      `{"requestId":%q,"messageId":"m","role":"assistant","text":"hi","createdAt":"yesterday"}`,
		"a numeric messageId":       `{"requestId":%q,"messageId":7,"role":"assistant","text":"hi"}`,
		"no role":                   `{"requestId":%q,"messageId":"m","text":"hi"}`,
		"counts as strings":         `{"requestId":%q,"messageId":"m","text":"hi","usage":{"totalTokens":"7"}}`,
		"wrong optional fields":     `{"requestId":%q,"messageId":"m","text":"hi","usage":7,"options":{},"traceId":[]}`,
		"duplicate members":         `{"requestId":%q,"messageId":"m","text":"no","text":"hi"}`,
	} {
		t.Run(name, func(t *testing.T) {
			client := backend(t, chat.Config{}, func(ctx context.Context, k *chattest.Socket, q events.UserMessage) {
				_ = k.Emit(ctx, "ai:message", payload(message, q), "a second argument")
			})
			stream, err := askHi(t, client)
			require.NoError(t, err)
			answer, err := stream.Wait()
			require.NoError(t, err)
			assert.Equal(t, "hi", answer.Text)
		})
	}
}

func TestStream_endsWithErrorInEveryForm(t *testing.T) {
	for name, tc := range map[string]struct{ json, want string }{
		"a string":                 {`"overloaded"`, "ai error: overloaded"},
		"the member error":         {`{"requestId":%q,"error":"overloaded"}`, "ai error: overloaded"},
		"an object in error":       {`{"requestId":%q,"error":{"message":"overloaded","code":529}}`, "ai error: 529: overloaded"},
		"a numeric code":           {`{"requestId":%q,"code":529,"message":"overloaded"}`, "ai error: 529: overloaded"},
		"the contract":             {`{"requestId":%q,"code":"E","message":"overloaded"}`, "ai error: E: overloaded"},
		"half of a surrogate pair": {`{"requestId":%q,"message":"cut \ud83d"}`, "ai error: cut \ufffd"},
	} {
		t.Run(name, func(t *testing.T) {
			client := backend(t, chat.Config{}, func(ctx context.Context, k *chattest.Socket, q events.UserMessage) {
				if name == "a string" {
					_ = k.Emit(ctx, "ai:error", json.RawMessage(tc.json))
				} else {
					_ = k.Emit(ctx, "ai:error", payload(tc.json, q))
				}
			})
			stream, err := askHi(t, client)
			require.NoError(t, err)
			_, err = stream.Wait()
			var failure events.AIError
			require.ErrorAs(t, err, &failure)
			assert.EqualError(t, err, tc.want)
		})
	}
}

func TestStream_endsWithUnreadableEvent(t *testing.T) {
	for name, tc := range map[string]struct{ event, json, field string }{
		"message without text":           {"ai:message", `{"requestId":%q,"messageId":"m"}`, "text"},
		"message without text, unnamed":  {"ai:message", `{"messageId":"m"}`, "text"},
		"message that is no object":      {"ai:message", `["hi"]`, ""},
		"token of the wrong type":        {"ai:token", `{"requestId":%q,"token":{},"index":0}`, "token"},
		"tool call without a name":       {"ai:tool_call", `{"requestId":%q,"callId":"c"}`, "toolName"},
		"error of which nothing is text": {"ai:error", `[7]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			client := backend(t, chat.Config{}, func(ctx context.Context, k *chattest.Socket, q events.UserMessage) {
				raw := json.RawMessage(tc.json)
				if len(tc.json) > 15 && tc.json[:14] == `{"requestId":%` {
					raw = payload(tc.json, q)
				}
				_ = k.Emit(ctx, tc.event, raw)
			})
			failures := client.DecodeErrors.Chan(t.Context())
			stream, err := askHi(t, client)
			require.NoError(t, err)
			_, err = stream.Wait()
			var failed conn.DecodeError
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, tc.event, failed.Event)
			assert.Equal(t, tc.field, failed.Field)
			assert.False(t, failed.Delivered)
			assert.Equal(t, failed.Field, wiretest.ReceiveFrom(t, failures).Field)
		})
	}
}

func TestDecodeErrors_reportsFieldOfDeliveredEvent(t *testing.T) {
	client := backend(t, chat.Config{}, func(ctx context.Context, k *chattest.Socket, q events.UserMessage) {
		_ = k.Emit(ctx, "ai:processing", payload(`{"requestId":%q,"status":"working","etaMs":"soon"}`, q))
		_ = k.Emit(ctx, "ai:message", payload(`{"requestId":%q,"messageId":"m","text":"hi"}`, q))
	})
	failures := client.DecodeErrors.Chan(t.Context())
	processing := client.Processing.Chan(t.Context())
	stream, err := askHi(t, client)
	require.NoError(t, err)
	_, err = stream.Wait()
	require.NoError(t, err)
	failed := wiretest.ReceiveFrom(t, failures)
	assert.Equal(t, "etaMs", failed.Field)
	assert.True(t, failed.Delivered)
	assert.Equal(t, events.StatusWorking, wiretest.ReceiveFrom(t, processing).Status)
}

func TestHandleTool_acknowledgesEveryCall(t *testing.T) {
	type place struct {
		Zone struct{ City, Country string }
	}
	for name, tc := range map[string]struct{ json, want string }{
		"no args":           {`{"requestId":%q,"callId":1,"toolName":"clock"}`, `":"`},
		"duplicate members": {`{"requestId":%q,"callId":1,"toolName":"clock","args":{"zone":{"city":"A"},"zone":{"country":"B"}}}`, `":B"`},
		"lone surrogates":   {`{"requestId":%q,"callId":1,"toolName":"clock","args":{"zone":{"city":"\ud83d"}}}`, "\"\ufffd:\""},
		"no name":           {`{"requestId":%q,"callId":1}`, `AIToolCall: field \"toolName\": required field is missing`},
		"no object":         {`7`, `events: AIToolCall: want an object, got a number`},
	} {
		t.Run(name, func(t *testing.T) {
			replies := make(chan string, 1)
			client := backend(t, chat.Config{}, func(ctx context.Context, k *chattest.Socket, q events.UserMessage) {
				raw := json.RawMessage(tc.json)
				if tc.json != "7" {
					raw = payload(tc.json, q)
				}
				// ctx ends with the stream, which an unreadable call ends.
				reply, err := k.Call(context.WithoutCancel(ctx), "ai:tool_call", raw)
				if err == nil {
					replies <- string(reply)
				}
			})
			chat.HandleTool(client, "clock", func(_ context.Context, p place) (string, error) {
				return p.Zone.City + ":" + p.Zone.Country, nil
			})
			_, err := askHi(t, client)
			require.NoError(t, err)
			assert.Contains(t, wiretest.ReceiveFrom(t, replies), tc.want)
		})
	}
}

func TestToolCallFromContext_returnsCall(t *testing.T) {
	calls := make(chan events.AIToolCall, 1)
	requests := make(chan string, 1)
	client := backend(t, chat.Config{}, func(ctx context.Context, k *chattest.Socket, q events.UserMessage) {
		requests <- q.RequestID
		_, _ = k.Call(ctx, "ai:tool_call", json.RawMessage(`{"callId":17,"toolName":"clock","args":{"zone":"A"}}`))
	})
	chat.HandleTool(client, "clock", func(ctx context.Context, _ any) (any, error) {
		call, ok := chat.ToolCallFromContext(ctx)
		assert.True(t, ok)
		calls <- call
		return nil, nil
	})
	_, err := askHi(t, client)
	require.NoError(t, err)
	assert.Equal(t, events.AIToolCall{
		ChatID: events.StringID("42"), RequestID: wiretest.ReceiveFrom(t, requests),
		CallID: "17", ToolName: "clock", Args: json.RawMessage(`{"zone":"A"}`),
	}, wiretest.ReceiveFrom(t, calls))

	_, ok := chat.ToolCallFromContext(t.Context())
	assert.False(t, ok)
}

func TestInRoom_comparesTextOfIDs(t *testing.T) {
	client := backend(t, chat.Config{}, func(ctx context.Context, k *chattest.Socket, q events.UserMessage) {
		_ = k.Emit(ctx, "ai:message", payload(`{"chatId":7,"requestId":%q,"messageId":"m","text":"elsewhere"}`, q))
		_ = k.Emit(ctx, "ai:message", payload(`{"chatId":42,"messageId":"m","text":"here, for %s"}`, q))
	})
	messages := client.Messages.Chan(t.Context(), chat.InRoom[events.AIMessage](events.StringID("42")))
	stream, err := askHi(t, client)
	require.NoError(t, err)
	answer, err := stream.Wait()
	require.NoError(t, err, "the answer names its request")
	assert.Equal(t, "elsewhere", answer.Text)
	assert.Contains(t, wiretest.ReceiveFrom(t, messages).Text, "here")
}

func TestStream_acceptsChatIDOfOtherType(t *testing.T) {
	client := backend(t, chat.Config{}, func(ctx context.Context, k *chattest.Socket, _ events.UserMessage) {
		_ = k.Emit(ctx, "ai:token", json.RawMessage(`{"chatId":42,"token":"hi","index":0}`))
		_ = k.Emit(ctx, "ai:message", json.RawMessage(`{"chatId":42,"messageId":"m","text":"hi"}`))
	})
	stream, err := askHi(t, client)
	require.NoError(t, err)
	answer, err := stream.Wait()
	require.NoError(t, err)
	assert.Equal(t, "hi", answer.Text)
}

func TestServerErrors_readsInvalidUnicode(t *testing.T) {
	client := backend(t, chat.Config{}, func(ctx context.Context, k *chattest.Socket, _ events.UserMessage) {
		_ = k.Emit(ctx, "error", json.RawMessage(`"cut \ud83d"`))
		_ = k.Emit(ctx, "error", json.RawMessage(`{"message":"cut \ud83d","message":"last \ud83d"}`))
	})
	failures := client.ServerErrors.Chan(t.Context())
	_, err := askHi(t, client)
	require.NoError(t, err)
	assert.Equal(t, "cut \ufffd", wiretest.ReceiveFrom(t, failures).Message)
	assert.Equal(t, "last \ufffd", wiretest.ReceiveFrom(t, failures).Message)
}

func TestJoin_recognizesRefusals(t *testing.T) {
	for reply, refused := range map[string]bool{
		`{"ok":0,"error":"banned"}`:      true,
		`{"ok":true,"error":"banned"}`:   true,
		`{"ok":0}`:                       true,
		`{"ok":false}`:                   true,
		`{"success":"no"}`:               true,
		`{"success":"False"}`:            true,
		`{"error":{"code":7}}`:           true,
		`{"ok":1,"users":[1],"error":0}`: false,
		`{"ok":"yes","error":""}`:        false,
		`{"error":null,"success":true}`:  false,
		`{"error":{}}`:                   false,
		`{"ok":false,"ok":true}`:         false,
		`"joined"`:                       false,
		`[false]`:                        false,
	} {
		t.Run(reply, func(t *testing.T) {
			server := chattest.NewServer(chattest.Config{})
			t.Cleanup(server.Close)
			server.Handle("chat:join", func(context.Context, chattest.Received) (any, error) {
				return json.RawMessage(reply), nil
			})
			client, err := chat.New(server.URL, chat.Config{
				ChatID: events.IntID(42), JoinTimeout: time.Minute, Conn: conn.Config{Logger: slog.New(slog.DiscardHandler)},
			})
			require.NoError(t, err)
			t.Cleanup(func() { client.Close() })
			ended, _ := wiretest.Run(t, client)
			if !refused {
				require.NoError(t, client.Ready(wiretest.Context(t)))
				return
			}
			var failed *chat.JoinError
			require.ErrorAs(t, wiretest.ReceiveFrom(t, ended), &failed)
			assert.JSONEq(t, reply, string(failed.Reply))
		})
	}
}

// The ids of an event that nests too deep are read, so it ends the stream of
// its own question only.
func TestStream_endsWithOwnEventThatNestsTooDeep(t *testing.T) {
	deep := strings.Repeat("[", 20) + strings.Repeat("]", 20)
	for event, format := range map[string]string{
		"ai:message":    `{"messageId":"m","text":"hi","options":` + deep + `,"requestId":%q}`,
		"ai:tool_call":  `{"requestId":%q,"callId":"c","toolName":"t","args":` + deep + `}`,
		"ai:processing": `{"details":` + deep + `,"status":"working","requestId":%q}`,
	} {
		t.Run(event, func(t *testing.T) {
			deepAsked := make(chan struct{})
			client := backend(t, chat.Config{Conn: conn.Config{MaxNesting: 10}}, func(ctx context.Context, k *chattest.Socket, q events.UserMessage) {
				if q.Text == "deep" {
					_ = k.Emit(ctx, event, payload(format, q))
					close(deepAsked)
					return
				}
				<-deepAsked
				_ = k.Emit(ctx, "ai:message", payload(`{"requestId":%q,"messageId":"m","text":"hi"}`, q))
			})
			other, err := askHi(t, client)
			require.NoError(t, err)
			deep, err := client.Ask(wiretest.Context(t), chat.Question{UserID: events.StringID("u1"), Text: "deep"})
			require.NoError(t, err)
			_, err = deep.Wait()
			require.ErrorIs(t, err, conn.ErrTooDeep)
			answer, err := other.Wait()
			require.NoError(t, err)
			assert.Equal(t, "hi", answer.Text)
		})
	}
}
