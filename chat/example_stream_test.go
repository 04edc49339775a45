package chat_test

import (
	"context"
	"fmt"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// The tokens of one answer, in order, each once.
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

// The tokens of one answer on a channel, in a select with other channels.
func ExampleStream_Tokens() {
	ctx, client, stop := start(chat.Config{})
	defer stop()
	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: "Hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	tokens := stream.Tokens()
	for {
		select {
		case token, open := <-tokens:
			if !open { // the answer has ended; Wait returns the result
				_, err := stream.Wait()
				fmt.Println("end", err)
				return
			}
			fmt.Printf("%d %q\n", token.Index, token.Token)
		case <-time.After(time.Minute):
			fmt.Println("nothing for a minute")
			return
		}
	}
	// Output:
	// 0 "You "
	// 1 "said: "
	// 2 "Hello"
	// end <nil>
}

// All events of one answer, in order.
func ExampleStream_Events() {
	ctx, client, stop := start(chat.Config{})
	defer stop()
	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: "Hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for event, err := range stream.Events() {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(event.Key())
	}
	// Output:
	// AI_PROCESSING
	// AI_PROCESSING
	// AI_TOKEN
	// AI_TOKEN
	// AI_TOKEN
	// AI_MESSAGE
}

// A snapshot of an answer, and its token usage.
func ExampleStream_Progress() {
	ctx, client, stop := start(chat.Config{})
	defer stop()
	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: "Hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := stream.Wait(); err != nil {
		fmt.Println(err)
		return
	}
	p := stream.Progress() // at any time, also before the end
	fmt.Printf("%q in %d tokens, %s, %d of them counted\n", p.Text, p.Tokens, p.Status.Status, p.Usage.CompletionTokens)
	fmt.Println(p.Ended, p.FirstToken > 0)
	// Output:
	// "You said: Hello" in 3 tokens, working, 3 of them counted
	// true true
}

// Abort stops an answer before its end.
func ExampleStream_Abort() {
	thinking := func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
		emit(events.AIToken{Token: "Well…"})
		<-ctx.Done()
	}
	ctx, client, server, stop := startWith(chattest.Config{Answer: thinking}, chat.Config{})
	defer stop()
	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), RequestID: "r1", Text: "Hello?"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println((<-stream.Tokens()).Token)
	stream.Abort("too slow") // returns when the abort is written
	_, err = stream.Wait()
	fmt.Println(err)
	fmt.Println(server.Next(ctx, "ai:abort"))
	// Output:
	// Well…
	// chat: the answer was aborted
	// ai:abort [{"chatId":"room-1","requestId":"r1","reason":"too slow"}] <nil>
}

// The request id identifies a stream before its answer has ended.
func ExampleStream_RequestID() {
	ctx, client, stop := start(chat.Config{})
	defer stop()
	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), RequestID: "r1", Text: "Hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	message, err := stream.Wait()
	fmt.Println(stream.RequestID(), message.RequestID, err)
	// Output: r1 r1 <nil>
}

// Only the final message.
func ExampleClient_Answer() {
	ctx, client, stop := start(chat.Config{})
	defer stop()
	message, err := client.Answer(ctx, chat.Question{UserID: events.StringID("u1"), Text: "Hello"})
	fmt.Println(message.Text, err)
	// Output: You said: Hello <nil>
}

// A stream continues after a lost session: Resume requests the tokens that are
// missing.
func ExampleStreamConfig_resume() {
	half := func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
		emit(events.AIToken{Token: "Hello ", Index: 0})
		<-ctx.Done()
	}
	var client *chat.Client
	resume := func(ctx context.Context, s *chat.Stream) error {
		_, err := conn.Call[any](ctx, client.Conn(), "ai:resume", map[string]any{"requestId": s.RequestID(), "after": s.Progress().Tokens - 1})
		return err // a request that is lost with its session is repeated on the next
	}
	ctx, client, server, stop := startWith(chattest.Config{Answer: half}, chat.Config{Stream: chat.StreamConfig{Resume: resume}})
	defer stop()
	server.Handle("ai:resume", func(ctx context.Context, r chattest.Received) (any, error) {
		var asked struct {
			RequestID string
			After     int
		}
		if err := r.Decode(&asked); err != nil {
			return nil, err
		}
		fmt.Println(r.Name, asked.RequestID, asked.After)
		for _, frame := range []struct {
			name    string
			payload map[string]any
		}{
			{"ai:token", map[string]any{"requestId": "r1", "index": 1, "token": "again."}},
			{"ai:message", map[string]any{"requestId": "r1", "messageId": "m1", "role": "assistant", "text": "Hello again.", "createdAt": time.Now()}},
		} {
			if err := r.Socket.Emit(ctx, frame.name, frame.payload); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), RequestID: "r1", Text: "Hello?"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for token := range stream.Tokens() {
		if token.Index == 0 {
			server.CloseClientConnections()
		}
		fmt.Printf("%q\n", token.Token)
	}
	// Output:
	// "Hello "
	// ai:resume r1 0
	// "again."
}
