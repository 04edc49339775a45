package chattest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

var (
	room = events.StringID("room-1")
	user = events.StringID("ada")
)

// connect runs a client until stop is called.
func connect(server *chattest.Server, cfg chat.Config) (ctx context.Context, client *chat.Client, stop func()) {
	cfg.ChatID = room
	cfg.Conn.Logger = slog.New(slog.DiscardHandler)
	client, err := chat.New(server.URL, cfg)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	ended := make(chan struct{})
	go func() { // ends with stop
		defer close(ended)
		_ = client.Run(ctx) // Ready and States report its result
	}()
	return ctx, client, func() {
		_ = client.Close()
		<-ended
		cancel()
	}
}

// The backend refuses the first join and accepts the second.
func ExampleServer_Handle() {
	server := chattest.NewServer(chattest.Config{})
	defer server.Close()
	server.Handle("chat:join", chattest.Refuse(errors.New("the room is full")))
	cfg := chat.Config{JoinTimeout: 5 * time.Second}

	ctx, client, stop := connect(server, cfg)
	var refused *chat.JoinError
	fmt.Println(errors.As(client.Ready(ctx), &refused), refused)
	stop()

	server.Handle("chat:join", nil)
	ctx, client, stop = connect(server, cfg)
	defer stop()
	fmt.Println(client.Ready(ctx))
	// Output:
	// true chat: join of room "room-1": refused: the room is full
	// <nil>
}

// The backend handles a custom event.
func ExampleReceived_Decode() {
	server := chattest.NewServer(chattest.Config{})
	defer server.Close()
	server.Handle("rate", func(_ context.Context, r chattest.Received) (any, error) {
		var rating struct{ Stars int }
		if err := r.Decode(&rating); err != nil {
			return nil, err
		}
		return map[string]bool{"thanks": rating.Stars > 3}, nil
	})

	ctx, client, stop := connect(server, chat.Config{})
	defer stop()
	reply, err := conn.Call[json.RawMessage](ctx, client.Conn(), "rate", map[string]int{"stars": 5})
	fmt.Println(string(reply), err)
	// Output: {"thanks":true} <nil>
}

// An answer calls a tool of the client and uses the result.
func ExampleCallTool() {
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
			call := events.AIToolCall{CallID: "c1", ToolName: "clock", Args: []byte(`{"zone":"Asia/Tokyo"}`)}
			result, err := chattest.CallTool(ctx, call)
			if err != nil {
				return // aborted or disconnected
			}
			chattest.Say("It is "+string(result), 0)(ctx, q, emit)
		},
	})
	defer server.Close()

	ctx, client, stop := connect(server, chat.Config{})
	defer stop()
	chat.HandleTool(client, "clock", func(_ context.Context, args struct{ Zone string }) (string, error) {
		return "noon in " + args.Zone, nil
	})
	answer, err := client.Answer(ctx, chat.Question{UserID: user, Text: "What time is it?"})
	fmt.Println(answer.Text, err)
	// Output: It is "noon in Asia/Tokyo" <nil>
}

// The network fails in the middle of an answer. The client recovers its session
// and misses no event.
func ExampleSocket_CloseNow() {
	server := chattest.NewServer(chattest.Config{
		Recovery: time.Minute,
		Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
			emit(events.AIToken{Token: "Once upon ", Index: 0})
			chattest.SocketFromContext(ctx).CloseNow()
			emit(events.AIToken{Token: "a time", Index: 1})
			emit(events.AIMessage{MessageID: "m1", Role: "assistant", Text: "Once upon a time"})
		},
	})
	defer server.Close()

	ctx, client, stop := connect(server, chat.Config{})
	defer stop()
	stream, err := client.Ask(ctx, chat.Question{UserID: user, Text: "Tell me a story."})
	if err != nil {
		fmt.Println(err)
		return
	}
	for token := range stream.Tokens() {
		fmt.Printf("%d %q\n", token.Index, token.Token)
	}
	_, err = stream.Wait()
	fmt.Println(err, client.Ready(ctx), client.State().Recovered)
	// Output:
	// 0 "Once upon "
	// 1 "a time"
	// <nil> <nil> true
}

// After a disconnect by the server, a client does not reconnect.
func ExampleSocket_Disconnect() {
	server := chattest.NewServer(chattest.Config{})
	defer server.Close()

	ctx, client, stop := connect(server, chat.Config{})
	defer stop()
	states := client.States.Chan(ctx)
	fmt.Println(client.Ready(ctx))
	for _, socket := range server.Sockets() {
		socket.Disconnect()
	}
	for state := range states {
		if state.Phase == conn.Stopped {
			fmt.Println(state.Err)
			return
		}
	}
	// Output:
	// <nil>
	// conn: disconnected by the server
}

// A backend sends a payload that the contract does not allow: a token with an
// optional field of the wrong type.
func ExampleSocket_Emit() {
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
			_ = chattest.SocketFromContext(ctx).Emit(ctx, "ai:token", map[string]any{"requestId": q.RequestID, "token": "All ", "index": 0, "traceId": true})
			emit(events.AIToken{Token: "the same.", Index: 1})
			emit(events.AIMessage{MessageID: "m1", Role: "assistant", Text: "All the same."})
		},
	})
	defer server.Close()

	ctx, client, stop := connect(server, chat.Config{})
	defer stop()
	wrong := client.DecodeErrors.Chan(ctx)
	answer, err := client.Answer(ctx, chat.Question{UserID: user, Text: "Hello?"})
	failure := <-wrong
	fmt.Println(failure.Event, failure.Field, failure.Delivered)
	fmt.Println(answer.Text, err)
	// Output:
	// ai:token traceId true
	// All the same. <nil>
}

// Another user writes in the room.
func ExampleServer_Emit() {
	server := chattest.NewServer(chattest.Config{})
	defer server.Close()

	ctx, client, stop := connect(server, chat.Config{})
	defer stop()
	heard := client.ChatMessages.Chan(ctx)
	if _, err := server.Next(ctx, "chat:join"); err != nil { // it is in the room
		fmt.Println(err)
		return
	}
	server.Emit(room, events.ChatMessage{MessageID: "m1", UserID: events.StringID("bob"), Text: "Hello, Ada"})
	fmt.Println((<-heard).Text)
	// Output: Hello, Ada
}

// Received lists the events of clients, as they were sent.
func ExampleServer_Received() {
	server := chattest.NewServer(chattest.Config{})
	defer server.Close()

	ctx, client, stop := connect(server, chat.Config{Meta: map[string]any{"tenant": "acme"}})
	defer stop()
	err := client.MarkRead(ctx, events.Read{UserID: user, MessageIDs: []string{"m1"}, ReadAt: time.Unix(0, 0).UTC()})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := server.Next(ctx, "chat:read"); err != nil { // it has arrived
		fmt.Println(err)
		return
	}
	for _, event := range server.Received() {
		fmt.Println(event)
	}
	// Output:
	// chat:join [{"chatId":"room-1","tenant":"acme"}]
	// chat:read [{"chatId":"room-1","tenant":"acme","userId":"ada","messageIds":["m1"],"readAt":"1970-01-01T00:00:00Z"}]
}

// t stands for the *testing.T of a test.
var t printing

type printing struct{}

func (printing) Helper()                           {}
func (printing) Context() context.Context          { return context.Background() }
func (printing) Fatalf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// A test checks that an abort reaches the backend and names its request.
func ExampleServer_Expect() {
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) { <-ctx.Done() },
	})
	defer server.Close()

	ctx, client, stop := connect(server, chat.Config{})
	defer stop()
	stream, err := client.Ask(ctx, chat.Question{UserID: user, Text: "Hello?"})
	if err != nil {
		fmt.Println(err)
		return
	}
	server.Expect(t, "user:message", map[string]any{"chatId": "room-1", "text": "Hello?"})
	stream.Abort("enough")
	server.Expect(t, "ai:abort", map[string]any{"requestId": stream.RequestID(), "reason": "enough"})

	client.TypingStart(ctx, user)
	server.Expect(t, "user:typingStart", map[string]any{"userId": "bob"})
	// Output:
	// chattest: event user:typingStart differs: another "userId"
	//   want: {"userId":"bob"}
	//    got: {"chatId":"room-1","userId":"ada"}
	//   else: chat:join [{"chatId":"room-1"}]
}

// A proxy in front of the backend requires authorization.
func ExampleConfig_wrap() {
	server := chattest.NewServer(chattest.Config{Middleware: func(backend http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "" {
				http.Error(w, "who are you?", http.StatusUnauthorized)
				return
			}
			backend.ServeHTTP(w, r)
		})
	}})
	defer server.Close()

	ctx, client, stop := connect(server, chat.Config{})
	defer stop()
	fmt.Println(client.Ready(ctx))
	// Output: conn: refused by the server with HTTP status 401: who are you?
}
