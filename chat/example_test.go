package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/reconnect"
)

// start starts a backend and a client that runs until stop is called. A
// program would give chat.New the URL of its own backend.
func start(cfg chat.Config) (ctx context.Context, client *chat.Client, stop func()) {
	server := chattest.NewServer(chattest.Config{})
	if cfg.ChatID.IsZero() {
		cfg.ChatID = events.StringID("room-1")
	}
	client, err := chat.New(server.URL, cfg)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	go client.Run(ctx)
	return ctx, client, func() {
		client.Close()
		cancel()
		server.Close()
	}
}

// Channels in a select loop.
func Example() {
	server := chattest.NewServer(chattest.Config{Answer: chattest.Say("Hello yourself.", 0)})
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	client, err := chat.New(server.URL, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		fmt.Println(err) // a bad URL or a contradictory Config
		return
	}
	defer client.Close()
	tokens := client.Tokens.Chan(ctx) // subscribing before Run loses nothing
	messages := client.Messages.Chan(ctx)
	done := make(chan error, 1)
	go func() { done <- client.Run(ctx) }() // returns when ctx ends (nil) or for good (why)

	if err := client.Ready(ctx); err != nil { // connected, room joined
		fmt.Println(err)
		return
	}
	err = client.SendMessage(ctx, events.UserMessage{MessageID: "m1", UserID: events.StringID("u1"), Text: "Hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for heard := 0; heard < 2; {
		select {
		case token := <-tokens:
			fmt.Printf("token %d: %q\n", token.Index, token.Token)
			heard++
		case <-messages: // may come before the last tokens: see Client.Events
		case err := <-done:
			fmt.Println("ended:", err)
			return
		}
	}
	// Output:
	// token 0: "Hello "
	// token 1: "yourself."
}

// One question, one answer: in order, each token once, only this request's.
func ExampleClient_Ask() {
	ctx, client, stop := start(chat.Config{})
	defer stop()

	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: "Is anybody there?"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for token := range stream.Tokens() {
		fmt.Print(token.Token)
	}
	message, err := stream.Wait() // or *events.AIError, ErrStalled, ctx.Err()…
	fmt.Printf("\n%d tokens, %v\n", message.Usage.CompletionTokens, err)
	// Output:
	// You said: Is anybody there?
	// 5 tokens, <nil>
}

// The program that the README begins with.
func ask(ctx context.Context, url, question string) error {
	client, err := chat.New(url, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		return err
	}
	defer client.Close()
	go client.Run(ctx)
	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: question})
	if err != nil {
		return err
	}
	for token := range stream.Tokens() { // <-chan events.AIToken
		fmt.Print(token.Token)
	}
	_, err = stream.Wait() // the final message, or why there is none
	return err
}

// The final message, or why there is none.
func ExampleStream_Wait() {
	server := chattest.NewServer(chattest.Config{Answer: chattest.Say("Hello yourself.", 0)})
	defer server.Close()
	fmt.Println("", ask(context.Background(), server.URL, "Hello"))
	// Output: Hello yourself. <nil>
}

// Cancelling the context of a question stops its answer, here and at the
// backend.
func ExampleClient_Ask_cancelled() {
	stopped := make(chan string, 1)
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
			emit(events.AIToken{Token: "Well…"})
			<-ctx.Done() // thinks until it is aborted
			stopped <- "the backend has stopped"
		},
	})
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := chat.New(server.URL, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	go client.Run(ctx)

	question, changeMind := context.WithCancel(ctx)
	defer changeMind()
	stream, err := client.Ask(question, chat.Question{UserID: events.StringID("u1"), Text: "Hello?"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println((<-stream.Tokens()).Token)
	changeMind()
	_, err = stream.Wait()
	fmt.Println(err)
	fmt.Println(<-stopped)
	// Output:
	// Well…
	// context canceled
	// the backend has stopped
}

// The text of an answer as an iterator.
func ExampleStream_Text() {
	ctx, client, stop := start(chat.Config{})
	defer stop()

	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: "Hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for text, err := range stream.Text() {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Print(text)
	}
	// Output: You said: Hello
}

// Every event of the chat in wire order, on one channel: here the final
// message cannot overtake a token.
func Example_events() {
	ctx, client, stop := start(chat.Config{})
	defer stop()

	all := client.Events.Chan(ctx)
	err := client.SendMessage(ctx, events.UserMessage{MessageID: "m1", UserID: events.StringID("u1"), Text: "Hi"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for event := range all {
		switch event := event.(type) {
		case events.AIProcessing:
			fmt.Println("status:", event.Status)
		case events.AIToken:
			fmt.Printf("token: %q\n", event.Token)
		case events.AIMessage:
			fmt.Printf("message: %q\n", event.Text)
			return
		case events.AIError:
			fmt.Println(event.Message)
			return
		}
	}
	// Output:
	// status: queued
	// status: working
	// token: "You "
	// token: "said: "
	// token: "Hi"
	// message: "You said: Hi"
}

// A slow reader chooses what happens to it; it never delays another, nor the
// socket.
func Example_slowReader() {
	ctx, client, stop := start(chat.Config{})
	defer stop()

	sub := client.Tokens.Subscribe(ctx, bus.Limit(2), bus.OnOverflow(bus.DropOldest))
	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: "one two three"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := stream.Wait(); err != nil { // all five tokens have come, and nobody has read
		fmt.Println(err)
		return
	}
	stats := sub.Stats()
	fmt.Println("dropped", stats.Dropped, "pending", stats.Pending, "error", sub.Err())
	sub.Close()
	for token := range sub.C() {
		fmt.Printf("%q\n", token.Token)
	}
	fmt.Println(sub.Err())
	// Output:
	// dropped 3 pending 2 error <nil>
	// "two "
	// "three"
	// bus: closed
}

// Any event that the backend has, in a type of one's own.
func ExampleTopic() {
	ctx, client, stop := start(chat.Config{})
	defer stop()

	type names struct {
		Token string `json:"AI_TOKEN"`
	}
	answers := chat.Topic[names](client, "meta:events:response").Chan(ctx)
	if err := client.Emit(ctx, "meta:events:request", nil); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println((<-answers).Token)
	// Output: ai:token
}

// Every event as it came, and anything sent.
func ExampleClient_Emit() {
	ctx, client, stop := start(chat.Config{Meta: map[string]any{"tenant": "acme"}})
	defer stop()

	all := client.Raw.Chan(ctx)
	err := client.Emit(ctx, "user:message", map[string]string{"messageId": "m1", "userId": "u1", "text": "Hi"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for event := range all { // conn.Event{Name, Args}
		if event.Name == "chat:message" {
			fmt.Println(event.Name, strings.HasPrefix(string(event.Args[0]), "{"))
			return
		}
	}
	// Output: chat:message true
}

// An event that the server acknowledges.
func Example_call() {
	ctx, client, stop := start(chat.Config{})
	defer stop()

	type reply struct{ Hello string }
	got, err := conn.Call[reply](ctx, client.Conn(), "echo", map[string]string{"hello": "world"})
	fmt.Println(got.Hello, err)
	// Output: world <nil>
}

// The verbs, one for each event that goes to the server.
func Example_verbs() {
	ctx, client, stop := start(chat.Config{})
	defer stop()

	user := events.StringID("u1")
	for _, err := range []error{
		client.Ready(ctx), // without it the typing, which is volatile, may be dropped
		client.TypingStart(ctx, user),
		client.TypingStop(ctx, user),
		client.SendMessage(ctx, events.UserMessage{MessageID: "m1", UserID: user, Text: "Hi", RequestID: "r1"}),
		client.Abort(ctx, events.Abort{RequestID: "r1", Reason: "never mind"}),
		client.MarkRead(ctx, events.Read{UserID: user, MessageIDs: []string{"m0"}, ReadAt: time.Now()}),
	} {
		if err != nil {
			fmt.Println(err) // a *conn.SendError: was it sent?
		}
	}
	fmt.Println(client.State().Phase)
	// Output: ready
}

// A backend without rooms, with parameters and names of its own.
func Example_ownNames() {
	server := chattest.NewServer(chattest.Config{
		Names: map[events.Key]string{
			events.KeyUserMessage: "chat/user_message",
			events.KeyAIToken:     "llm:delta",
			events.KeyAIMessage:   "llm:final",
		},
		Auth: func(auth map[string]any) error {
			if auth["token"] != "fresh" {
				return fmt.Errorf("who is that?")
			}
			return nil
		},
	})
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	client, err := chat.New(server.URL, chat.Config{
		NoJoin: true,
		Meta:   map[string]any{"consultationId": "abc-123"},
		Names:  map[events.Key]string{events.KeyUserMessage: "chat/user_message", events.KeyAIToken: "llm:delta"},
		Conn: conn.Config{
			Query:      url.Values{"consultationId": {"abc-123"}},
			Auth:       func(context.Context) (any, error) { return map[string]string{"token": "fresh"}, nil }, // each attempt
			Header:     http.Header{"X-Tenant": {"acme"}},
			Transports: []string{"websocket"},
			Reconnect:  reconnect.Policy{InitialInterval: 100 * time.Millisecond},
			Retry:      func(err error) bool { return false }, // asked about errors that end Run by default
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	go client.Run(ctx)

	// Live: what is sent and what is heard.
	if err := client.SetNames(map[events.Key]string{events.KeyAIMessage: "llm:final"}); err != nil {
		fmt.Println(err)
		return
	}
	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: "Hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	message, err := stream.Wait()
	fmt.Println(message.Text, err)
	// Output: You said: Hello <nil>
}

// What does not fit its type reaches no typed topic, and is not lost.
func Example_decodeErrors() {
	server := chattest.NewServer(chattest.Config{
		Answer: func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
			emit(events.AIToolCall{CallID: "c1", ToolName: "search", Args: json.RawMessage(`{"size":9007199254740993}`)})
		},
	})
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := chat.New(server.URL, chat.Config{ChatID: events.IntID(7)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	type wrong struct {
		CallID int `json:"callId"`
	}
	_ = chat.Topic[wrong](client, "ai:tool_call").Chan(ctx)
	failures := client.DecodeErrors.Chan(ctx)
	calls := client.ToolCalls.Chan(ctx)
	go client.Run(ctx)
	err = client.SendMessage(ctx, events.UserMessage{MessageID: "m1", UserID: events.StringID("u1"), Text: "Hi"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println((<-failures).Event)
	fmt.Println(string((<-calls).Args))
	// Output:
	// ai:tool_call
	// {"size":9007199254740993}
}
