package chat

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// A dialFunc is a conn.Dialer.
type dialFunc func() (conn.Engine, error)

func (f dialFunc) Dial(context.Context, conn.Endpoint) (conn.Engine, error) { return f() }

// benchObserver is an observer of tokens and frames.
type benchObserver struct{}

func (benchObserver) OnToken(context.Context, *Client, events.AIToken, time.Duration) {}
func (benchObserver) OnFrameRead(*conn.Conn, int)                                     {}

// BenchmarkToken measures a token's path through the client: to the reader of a
// topic, to the reader of a stream, and to both.
func BenchmarkToken(b *testing.B) {
	const batch = 60_000 // tokens of one answer
	for _, to := range []struct {
		name          string
		topic, stream bool
		observers     []any
	}{{"topic", true, false, nil}, {"stream", false, true, nil}, {"both", true, true, nil}, {"observed stream", false, true, []any{benchObserver{}}}} {
		b.Run(to.name, func(b *testing.B) {
			l := newLink(batch + 2)
			go func() { // ends with the client
				for {
					select {
					case <-l.out:
					case <-l.gone:
						return
					}
				}
			}()
			client, err := New("http://localhost", Config{ChatID: room1, Observers: to.observers, Conn: conn.Config{Dialer: dialFunc(func() (conn.Engine, error) { return l, nil })}})
			if err != nil {
				b.Fatal(err)
			}
			defer client.Close()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var tokens <-chan events.AIToken
			if to.topic {
				tokens = client.Tokens.Chan(ctx, bus.Limit(2*batch))
			}
			end := client.Messages.Chan(ctx)
			go client.Run(ctx) // ends with ctx, or Close
			l.in <- []byte(`40{"sid":"socket-1"}`)
			frames := make([][]byte, batch)
			for n := range frames {
				frames[n] = fmt.Appendf(nil, `42["ai:token",{"chatId":"room-1","requestId":"r1","token":"word ","index":%d}]`, n)
			}
			final := []byte(`42["ai:message",{"chatId":"room-1","requestId":"r1","messageId":"m","role":"assistant","text":"","createdAt":"2026-01-02T03:04:05Z"}]`)
			b.ReportAllocs()
			for n := 0; n < b.N; n += batch {
				var stream *Stream
				if to.stream {
					stream, err = client.Ask(ctx, Question{UserID: user, RequestID: "r1"})
					if err != nil {
						b.Fatal(err)
					}
				}
				for _, frame := range frames {
					l.in <- frame
				}
				l.in <- final
				if to.topic {
					for range batch {
						<-tokens
					}
				}
				if to.stream {
					for range stream.Tokens() {
					}
					if _, err := stream.Wait(); err != nil {
						b.Fatal(err)
					}
				}
				<-end
			}
		})
	}
}
