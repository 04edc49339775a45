package chat_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// An event that the server acknowledges.
func Example_call() {
	ctx, client, stop := start(chat.Config{})
	defer stop()

	type reply struct{ Hello string }
	got, err := conn.Call[reply](ctx, client.Conn(), "echo", map[string]string{"hello": "world"})
	fmt.Println(got.Hello, err)
	// Output: world <nil>
}

// A message of a user.
func ExampleClient_SendMessage() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{Meta: map[string]any{"tenant": "acme"}})
	defer stop()
	err := client.SendMessage(ctx, events.UserMessage{MessageID: "m1", UserID: events.StringID("u1"), Text: "Hi"})
	if err != nil {
		fmt.Println(err) // a *conn.SendError: was it sent?
		return
	}
	fmt.Println(server.Next(ctx, "user:message"))
	// Output: user:message [{"chatId":"room-1","tenant":"acme","messageId":"m1","userId":"u1","text":"Hi"}] <nil>
}

// A message is sent again after a lost connection, with the same id, so that
// the server can recognize it.
func ExampleClient_Deliver() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{})
	defer stop()
	attempts := 0
	server.Handle("user:message", func(_ context.Context, r chattest.Received) (any, error) {
		if attempts++; attempts == 1 {
			r.Socket.CloseNow() // before it is acknowledged
			return nil, chattest.ErrNoReply
		}
		return map[string]bool{"stored": true}, nil
	})
	reply, err := client.Deliver(ctx, events.UserMessage{MessageID: "m1", UserID: events.StringID("u1"), Text: "Hi"})
	fmt.Println(string(reply), err, attempts)
	// Output: {"stored":true} <nil> 2
}

// The error of a delivery has its cause, and whether the server may have the
// message.
func ExampleDeliveryError() {
	client, err := chat.New("http://localhost:4000", chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	// Nothing is connected.
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err = client.Deliver(ctx, events.UserMessage{MessageID: "m1", UserID: events.StringID("u1")})
	var failed *chat.DeliveryError
	if errors.As(err, &failed) {
		fmt.Println(failed.Message.MessageID, failed.Attempts, failed.MaybeSent, failed.Err)
	}
	// Output: m1 0 false conn: event "user:message" not sent (Run is not running): context deadline exceeded
}

// Typing is volatile: without a session it is dropped.
func ExampleClient_TypingStart() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{})
	defer stop()
	if err := client.Ready(ctx); err != nil {
		fmt.Println(err)
		return
	}
	if err := client.TypingStart(ctx, events.StringID("u1")); err != nil {
		fmt.Println(err) // conn.ErrNotReady: can be ignored
	}
	fmt.Println(server.Next(ctx, "user:typingStart"))
	// Output: user:typingStart [{"chatId":"room-1","userId":"u1"}] <nil>
}

func ExampleClient_TypingStop() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{})
	defer stop()
	if err := client.Ready(ctx); err != nil {
		fmt.Println(err)
		return
	}
	if err := client.TypingStop(ctx, events.IntID(7)); err != nil {
		fmt.Println(err)
	}
	fmt.Println(server.Next(ctx, "user:typingStop"))
	// Output: user:typingStop [{"chatId":"room-1","userId":7}] <nil>
}

// Typing with all its fields.
func ExampleClient_Typing() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{})
	defer stop()
	if err := client.Ready(ctx); err != nil {
		fmt.Println(err)
		return
	}
	typing := events.Typing{UserID: events.StringID("u1"), ChatID: events.StringID("room-2"), TraceID: "t1"}
	if err := client.Typing(ctx, true, typing); err != nil {
		fmt.Println(err)
	}
	fmt.Println(server.Next(ctx, "user:typingStart"))
	// Output: user:typingStart [{"chatId":"room-2","traceId":"t1","userId":"u1"}] <nil>
}

// An abort with a request id stops one answer; without it, all answers of a
// chat.
func ExampleClient_Abort() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{})
	defer stop()
	err := client.Abort(ctx, events.Abort{RequestID: "r1", Reason: "never mind", TraceID: "t1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.Next(ctx, "ai:abort"))
	// Output: ai:abort [{"chatId":"room-1","traceId":"t1","requestId":"r1","reason":"never mind"}] <nil>
}

func ExampleClient_MarkRead() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{})
	defer stop()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	err := client.MarkRead(ctx, events.Read{UserID: events.StringID("u1"), MessageIDs: []string{"m1", "m2"}, ReadAt: at})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.Next(ctx, "chat:read"))
	// Output: chat:read [{"chatId":"room-1","userId":"u1","messageIds":["m1","m2"],"readAt":"2026-01-02T03:04:05Z"}] <nil>
}

// Any event, with chatId and meta like all others.
func ExampleClient_Emit() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{Meta: map[string]any{"tenant": "acme"}})
	defer stop()
	if err := client.Emit(ctx, "custom:event", map[string]string{"hello": "world"}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.Next(ctx, "custom:event"))
	// Output: custom:event [{"chatId":"room-1","tenant":"acme","hello":"world"}] <nil>
}
