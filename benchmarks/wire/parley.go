package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"golang.org/x/sync/errgroup"
)

// withParley runs f with a client that is Ready.
func withParley(ctx context.Context, to target, f func(ctx context.Context, c *chat.Client) (result, error)) (result, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = anyCertificate
	c, err := chat.New(to.url, chat.Config{
		ChatID: events.StringID("room-1"), NoJoin: true,
		Conn: conn.Config{Transports: []string{to.transport}, HTTP: transport, Logger: slog.New(slog.DiscardHandler)},
	})
	if err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var run sync.WaitGroup
	defer run.Wait()
	defer cancel()
	run.Go(func() { _ = c.Run(ctx) }) // ends with ctx
	if err := c.Ready(ctx); err != nil {
		return result{}, err
	}
	return f(ctx, c)
}

// measured adds the time and the allocations of f to its result.
func measured(events int, f func() (inOrder bool, err error)) (result, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	inOrder, err := f()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	return result{took, float64(after.Mallocs-before.Mallocs) / float64(events), inOrder}, err
}

// message returns one of the messages that all clients send.
func message(n int) events.UserMessage {
	return events.UserMessage{
		MessageID: strconv.Itoa(n), UserID: events.StringID("u1"), RequestID: "req-1234",
		Text: "Hello, how are you today? Tell me something about the sea.",
	}
}

// fields returns the same message for a client without types.
func fields(n int) map[string]any {
	m := message(n)
	return map[string]any{"chatId": "room-1", "requestId": m.RequestID, "messageId": m.MessageID, "userId": "u1", "text": m.Text}
}

func parleySend(goroutines int) runFunc {
	return func(ctx context.Context, to target, n int) (result, error) {
		return withParley(ctx, to, func(ctx context.Context, c *chat.Client) (result, error) {
			started := chat.On[any](c, "go").Chan(ctx)
			done := chat.On[bool](c, "done").Chan(ctx)
			n -= n % goroutines
			if err := c.Conn().Emit(ctx, "count", n); err != nil {
				return result{}, err
			}
			<-started
			r, err := measured(n, func() (bool, error) {
				var all errgroup.Group
				for range goroutines {
					all.Go(func() error {
						for i := range n / goroutines {
							if err := c.SendMessage(ctx, message(i)); err != nil {
								return err
							}
						}
						return nil
					})
				}
				if err := all.Wait(); err != nil {
					return false, err
				}
				return <-done, nil
			})
			r.inOrder = r.inOrder || goroutines > 1 // there is no order between goroutines
			return r, err
		})
	}
}

func parleyCall(inFlight int) runFunc {
	return func(ctx context.Context, to target, n int) (result, error) {
		return withParley(ctx, to, func(ctx context.Context, c *chat.Client) (result, error) {
			return measured(n, func() (bool, error) {
				var all errgroup.Group
				for range inFlight {
					all.Go(func() error {
						for i := range n / inFlight {
							if _, err := conn.Call[int](ctx, c.Conn(), "echo", i); err != nil {
								return err
							}
						}
						return nil
					})
				}
				return true, all.Wait()
			})
		})
	}
}

func parleyReceive(ctx context.Context, to target, n int) (result, error) {
	return withParley(ctx, to, func(ctx context.Context, c *chat.Client) (result, error) {
		tokens := c.Tokens.Chan(ctx, bus.Limit(n))
		return measured(n, func() (bool, error) {
			if err := c.Conn().Emit(ctx, "blast", n); err != nil {
				return false, err
			}
			inOrder := true
			for i := range n {
				t, ok := <-tokens
				if !ok {
					return false, errors.New("the subscription has ended")
				}
				inOrder = inOrder && t.Index == i
			}
			return inOrder, nil
		})
	})
}

// answerTokens is the number of tokens in an answer; a stream has a limit.
const answerTokens = 50_000

// parleyStream asks questions, and reads the answers from Stream.Tokens.
func parleyStream(ctx context.Context, to target, n int) (result, error) {
	return withParley(ctx, to, func(ctx context.Context, c *chat.Client) (result, error) {
		return measured(n, func() (bool, error) {
			inOrder := true
			for left := n; left > 0; left -= answerTokens {
				tokens := min(left, answerTokens)
				question := message(0)
				stream, err := c.Ask(ctx, chat.Question{UserID: question.UserID, RequestID: question.RequestID, Text: fmt.Sprint("answer ", tokens)})
				if err != nil {
					return false, err
				}
				next := 0
				for t := range stream.Tokens() {
					inOrder = inOrder && t.Index == next
					next++
				}
				if _, err := stream.Wait(); err != nil {
					return false, err
				}
				inOrder = inOrder && next == tokens
			}
			return inOrder, nil
		})
	})
}
