package chat_test

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/bus/pipe"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

// A pipeline from a topic to workers, ended by its context.
func Example_pipeline() {
	ctx, client, stop := start(chat.Config{})
	defer stop()

	long := pipe.Filter(ctx, client.ChatMessages.Chan(ctx), func(m events.ChatMessage) bool { return len(m.Text) > 10 })
	texts := pipe.Map(ctx, long, func(m events.ChatMessage) string { return strings.ToUpper(m.Text) })
	for _, text := range []string{"short", "a longer message", "brief", "the last of them"} {
		err := client.SendMessage(ctx, events.UserMessage{MessageID: text, UserID: events.StringID("u1"), Text: text})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := pipe.Workers(ctx, texts, 1, func(_ context.Context, text string) error {
		fmt.Println(text)
		if strings.Contains(text, "LAST") {
			cancel()
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// A LONGER MESSAGE
	// THE LAST OF THEM
	// context canceled
}

// A pool of workers over many answers at once: the tokens of one request go to
// one worker, in order, while requests run in parallel.
func Example_workerPool() {
	ctx, client, stop := start(chat.Config{})
	defer stop()
	ctx, done := context.WithCancel(ctx)
	defer done()

	const questions, tokensEach = 20, 4
	tokens := client.Tokens.Chan(ctx, bus.Name("pool"))
	for n := range questions {
		go func() {
			_, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: fmt.Sprint("question ", n)})
			if err != nil {
				fmt.Println(err)
			}
		}()
	}

	var mu sync.Mutex
	texts, left := map[string]string{}, questions*tokensEach
	err := pipe.Sharded(ctx, tokens, 8, func(t events.AIToken) string { return t.RequestID },
		func(_ context.Context, t events.AIToken) error {
			mu.Lock()
			defer mu.Unlock()
			texts[t.RequestID] += t.Token
			if left--; left == 0 {
				done()
			}
			return nil
		})
	whole := 0
	for _, text := range texts {
		if strings.HasPrefix(text, "You said: question ") {
			whole++
		}
	}
	fmt.Println(whole, "answers,", err)
	// Output: 20 answers, context canceled
}
