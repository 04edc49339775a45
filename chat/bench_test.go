package chat_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// tape is a connection whose server's messages are there already: what is
// measured is the way of a token from there to its readers.
type tape struct {
	messages chan []byte
	gone     chan struct{}
}

func (t *tape) Dial(context.Context, conn.Endpoint) (conn.Engine, error) { return t, nil }

func (t *tape) Read() (conn.Message, error) {
	select {
	case m := <-t.messages:
		return conn.Message{Data: m}, nil
	case <-t.gone:
		return conn.Message{}, io.EOF
	}
}

func (t *tape) Write(...conn.Message) error { return nil }
func (t *tape) Close(time.Duration) error   { return t.CloseNow() }
func (t *tape) CloseNow() error {
	select {
	case <-t.gone:
	default:
		close(t.gone)
	}
	return nil
}

// BenchmarkToken is a token's way through the client: to a topic's reader, to
// that of a stream, and to both.
func BenchmarkToken(b *testing.B) {
	const batch = 1000 // tokens of one answer
	for _, to := range []struct {
		name          string
		topic, stream bool
	}{{"topic", true, false}, {"stream", false, true}, {"both", true, true}} {
		b.Run(to.name, func(b *testing.B) {
			t := &tape{messages: make(chan []byte, batch+2), gone: make(chan struct{})}
			client, err := chat.New("http://localhost", chat.Config{ChatID: events.StringID("room-1"), Conn: conn.Config{Dialer: t}})
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
			t.messages <- []byte(`0{"sid":"socket-1"}`)
			frames := make([][]byte, batch)
			for n := range frames {
				frames[n] = fmt.Appendf(nil, `2["ai:token",{"chatId":"room-1","requestId":"r1","token":"word ","index":%d}]`, n)
			}
			final := []byte(`2["ai:message",{"chatId":"room-1","requestId":"r1","messageId":"m","role":"assistant","text":"","createdAt":"2026-01-02T03:04:05Z"}]`)
			b.ReportAllocs()
			for n := 0; n < b.N; n += batch {
				var stream *chat.Stream
				if to.stream {
					stream, err = client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), RequestID: "r1"})
					if err != nil {
						b.Fatal(err)
					}
				}
				for _, frame := range frames {
					t.messages <- frame
				}
				t.messages <- final
				if to.topic {
					for range batch {
						<-tokens
					}
				}
				if to.stream {
					if _, err := stream.Wait(); err != nil {
						b.Fatal(err)
					}
				}
				<-end
			}
		})
	}
}
