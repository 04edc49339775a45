package chat

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Observers with one method each.
type (
	askFunc             func()
	firstTokenFunc      func()
	tokenFunc           func()
	answerEndFunc       func()
	toolStartFunc       func()
	toolEndFunc         func()
	deliveryAttemptFunc func()
	deliveryEndFunc     func()
)

func (f askFunc) OnAsk(ctx context.Context, _ *Client, _ *Question) context.Context     { f(); return ctx }
func (f firstTokenFunc) OnFirstToken(context.Context, *Client, Question, time.Duration) { f() }
func (f tokenFunc) OnToken(context.Context, *Client, events.AIToken, time.Duration)     { f() }
func (f answerEndFunc) OnAnswerEnd(context.Context, *Client, AnswerEnd)                 { f() }
func (f toolStartFunc) OnToolStart(ctx context.Context, _ *Client, _ events.AIToolCall) context.Context {
	f()
	return ctx
}
func (f toolEndFunc) OnToolEnd(context.Context, *Client, events.AIToolCall, any, error)   { f() }
func (f deliveryAttemptFunc) OnDeliveryAttempt(context.Context, *Client, DeliveryAttempt) { f() }
func (f deliveryEndFunc) OnDeliveryEnd(context.Context, *Client, DeliveryEnd)             { f() }

// An observer may use the client, panic or end its goroutine. The answer, the
// tool and the delivery end, and Shutdown waits for nothing.
func TestObservers_areHarmless(t *testing.T) {
	for name, act := range map[string]func(client *Client){
		"uses the client":    func(client *Client) { (&user1{}).use(client) },
		"panics":             func(*Client) { panic("observer") },
		"ends its goroutine": func(*Client) { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) { testObservers(t, act) })
	}
}

func testObservers(t *testing.T, act func(client *Client)) {
	for name, observer := range map[string]func(do func()) any{
		"OnAsk":             func(do func()) any { return askFunc(do) },
		"OnFirstToken":      func(do func()) any { return firstTokenFunc(do) },
		"OnToken":           func(do func()) any { return tokenFunc(do) },
		"OnAnswerEnd":       func(do func()) any { return answerEndFunc(do) },
		"OnToolStart":       func(do func()) any { return toolStartFunc(do) },
		"OnToolEnd":         func(do func()) any { return toolEndFunc(do) },
		"OnDeliveryAttempt": func(do func()) any { return deliveryAttemptFunc(do) },
		"OnDeliveryEnd":     func(do func()) any { return deliveryEndFunc(do) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var called atomic.Bool
				var client *Client
				once := func() {
					if !called.Swap(true) {
						act(client)
					}
				}
				w := make(wire)
				client = w.client(t, Config{NoJoin: true, Observers: []any{observer(once)}})
				wiretest.Run(t, client)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				var server answeringServer
				go server.accept(ctx, w) // ends with ctx
				HandleTool(client, "t", func(context.Context, any) (int, error) { return 1, nil })
				answered := make(chan error, 1)
				go func() { // ends with the answer, or by the observer
					if s, err := client.Ask(t.Context(), Question{UserID: user, RequestID: "r1", Text: "Hello"}); err == nil {
						_, err := s.Wait()
						answered <- err
					}
				}()
				go client.Deliver(t.Context(), events.UserMessage{MessageID: "m1", UserID: user, Text: "Hi"})
				time.Sleep(10 * time.Second)
				// OnAsk may have ended the goroutine of Ask.
				if name != "OnAsk" || len(answered) > 0 {
					assert.NoError(t, <-answered)
					assert.EqualValues(t, 1, server.tools.Load(), "answers of the tool")
				}
				assert.True(t, called.Load())
				within, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				require.NoError(t, client.Shutdown(within))
			})
		})
	}
}

// An answeringServer answers the question r1, after a tool call, and sends the
// final message again on each later session.
type answeringServer struct {
	asked atomic.Bool
	tools atomic.Int32 // answers of the tool
}

// accept serves all sessions of a wire.
func (a *answeringServer) accept(ctx context.Context, w wire) {
	for {
		select {
		case l := <-w:
			go a.serve(ctx, l) // ends with the session
		case <-ctx.Done():
			return
		}
	}
}

func (a *answeringServer) serve(ctx context.Context, l *link) {
	<-l.out // CONNECT
	l.send(`40{"sid":"s"}`)
	if a.asked.Load() {
		l.send(finalFrame("r1", "ab"))
	}
	for {
		var frame string
		select {
		case frame = <-l.out:
		case <-l.gone:
			return
		case <-ctx.Done():
			return
		}
		switch {
		case strings.Contains(frame, `"m1"`):
			l.send("43" + frame[2:strings.IndexByte(frame, '[')] + "[]")
		case strings.HasPrefix(frame, "431["):
			a.tools.Add(1)
			l.send(tokenFrame("r1", 0, "a"), tokenFrame("r1", 1, "b"), finalFrame("r1", "ab"))
		case strings.HasPrefix(frame, `42["user:message"`):
			a.asked.Store(true)
			l.send(`421["ai:tool_call",{"requestId":"r1","callId":"c1","toolName":"t","args":{}}]`)
		}
	}
}
