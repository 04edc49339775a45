package chat

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A userFunction is a place where a program gives a function to the client.
type userFunction struct {
	config func(cfg *Config, fn func())
	add    func(client *Client, fn func()) // before Run

	// call makes the client call fn.
	call func(t *testing.T, client *Client, b *badBackend, fn *badFunction)

	// caller is true if fn runs in the goroutine of call. Otherwise it runs in
	// a goroutine of the library.
	caller bool

	reader bool // fn runs in the connection's reader, and must not block
}

// A badFunction misbehaves when it is called the first time after arm.
type badFunction struct {
	how     func()
	armed   atomic.Bool
	entered atomic.Bool
}

func (f *badFunction) arm() { f.armed.Store(true) }

func (f *badFunction) run() {
	if f.armed.CompareAndSwap(true, false) {
		f.entered.Store(true)
		f.how()
	}
}

// badValue calls a function when it is encoded or decoded.
type badValue struct{ fn func() }

func (v badValue) MarshalJSON() ([]byte, error) { v.fn(); return []byte(`"x"`), nil }

// badArgs calls decoding, which tests set while they run alone.
type badArgs struct{}

var decoding func()

func (*badArgs) UnmarshalJSON([]byte) error { decoding(); return nil }

// A badBackend serves every session. It acknowledges each packet with an id,
// and answers the questions with the text "answer".
type badBackend struct{ link atomic.Pointer[link] }

func (b *badBackend) serve(ctx context.Context, w wire) {
	for {
		select {
		case l := <-w:
			<-l.out // CONNECT
			l.send(`40{"sid":"s"}`)
			b.link.Store(l)
			go b.answer(l) // ends with the session
		case <-ctx.Done():
			return
		}
	}
}

func (b *badBackend) answer(l *link) {
	for {
		select {
		case frame := <-l.out:
			packet := strings.TrimPrefix(frame, "42")
			if id := packet[:max(strings.IndexByte(packet, '['), 0)]; id != "" {
				l.send("43" + id + "[]")
			}
			_, rest, question := strings.Cut(packet, `"requestId":"`)
			switch {
			case question && strings.Contains(packet, `"text":"answer"`):
				request, _, _ := strings.Cut(rest, `"`)
				l.send(finalFrame(request, "x"))
			case strings.Contains(packet, "meta:events:request"):
				l.send(`42["meta:events:response",{"CHAT_READ":"read"}]`)
			}
		case <-l.gone:
			return
		}
	}
}

func (b *badBackend) send(frame string) { b.link.Load().send(frame) }

// askOpen asks a question that is not answered.
func askOpen(t *testing.T, client *Client, parts ...events.Part) *Stream {
	s, err := client.Ask(t.Context(), Question{UserID: user, RequestID: "open", Text: "wait", Parts: parts})
	require.NoError(t, err)
	return s
}

func callTool(_ *testing.T, _ *Client, b *badBackend, fn *badFunction) {
	fn.arm()
	b.send(`421["ai:tool_call",{"callId":"c1","toolName":"tool","args":{}}]`)
	b.send(`42["ai:tool_call",{"callId":"c2","toolName":"tool","args":{}}]`)
}

// encoding returns the call of a method that encodes a value of the user.
func encoding(method func(client *Client, parts []events.Part) error) func(*testing.T, *Client, *badBackend, *badFunction) {
	return func(t *testing.T, client *Client, _ *badBackend, fn *badFunction) {
		fn.arm()
		assert.NoError(t, method(client, []events.Part{{Type: "text", Value: badValue{fn.run}}}))
	}
}

var userFunctions = map[string]userFunction{
	"OnConnect": {config: func(cfg *Config, fn func()) {
		cfg.Conn.OnConnect = func(context.Context, *conn.Session) error { fn(); return nil }
	}, call: cutSession},
	"JoinReply after a connect": {config: func(cfg *Config, fn func()) {
		cfg.JoinReply = func(events.ID, json.RawMessage) error { fn(); return nil }
	}, call: cutSession},
	"value of JoinPayload": {config: func(cfg *Config, fn func()) {
		cfg.JoinPayload = map[string]any{"x": badValue{fn}}
	}, call: cutSession},
	"Resume": {config: func(cfg *Config, fn func()) {
		cfg.Stream.Resume = func(context.Context, *Stream) error { fn(); return nil }
	}, call: func(t *testing.T, client *Client, b *badBackend, fn *badFunction) {
		askOpen(t, client)
		cutSession(t, client, b, fn)
	}},
	"value of a question that is asked again": {config: func(cfg *Config, _ func()) {
		cfg.Stream.LostTimeout, cfg.Stream.OnLost = time.Second, AskAgain
	}, call: func(t *testing.T, client *Client, b *badBackend, fn *badFunction) {
		askOpen(t, client, events.Part{Type: "text", Value: badValue{fn.run}})
		cutSession(t, client, b, fn)
	}},
	"tool": {add: func(client *Client, fn func()) {
		HandleTool(client, "tool", func(context.Context, any) (any, error) { fn(); return 1, nil })
	}, call: callTool},
	"args of a tool": {add: func(client *Client, fn func()) {
		decoding = fn
		HandleTool(client, "tool", func(context.Context, badArgs) (any, error) { return 1, nil })
	}, call: callTool},
	"result of a tool": {add: func(client *Client, fn func()) {
		HandleTool(client, "tool", func(context.Context, any) (any, error) { return badValue{fn}, nil })
	}, call: callTool},

	"NameFunc for discovered names": {reader: true, config: func(cfg *Config, fn func()) {
		cfg.Discovery.Enabled = true
		cfg.NameFunc = func(_ events.Key, name string) string { fn(); return name }
	}, call: cutSession},
	"filter of a topic": {reader: true, add: func(client *Client, fn func()) {
		client.Errors.Chan(context.Background(), bus.Filter(func(events.AIError) bool { fn(); return true }))
	}, call: receiveError},
	"filter of Events": {reader: true, add: func(client *Client, fn func()) {
		client.Events.Chan(context.Background(), bus.Filter(func(events.Event) bool { fn(); return true }))
	}, call: receiveError},

	"JoinReply of Join": {caller: true, config: func(cfg *Config, fn func()) {
		cfg.JoinReply = func(events.ID, json.RawMessage) error { fn(); return nil }
	}, call: func(t *testing.T, client *Client, _ *badBackend, fn *badFunction) {
		fn.arm()
		assert.NoError(t, client.Join(t.Context(), room2))
	}},
	"NameFunc of SetNames": {caller: true, config: func(cfg *Config, fn func()) {
		cfg.NameFunc = func(_ events.Key, name string) string { fn(); return name }
	}, call: func(t *testing.T, client *Client, _ *badBackend, fn *badFunction) {
		fn.arm()
		assert.NoError(t, client.SetNames(map[events.Key]string{events.KeyAIError: "failed"}))
	}},
	"value of Ask": {caller: true, call: encoding(func(client *Client, parts []events.Part) error {
		_, err := client.Answer(context.Background(), Question{UserID: user, RequestID: "r1", Text: "answer", Parts: parts})
		return err
	})},
	"value of SendMessage": {caller: true, call: encoding(func(client *Client, parts []events.Part) error {
		return client.SendMessage(context.Background(), events.UserMessage{UserID: user, Parts: parts})
	})},
	"value of Deliver": {caller: true, call: encoding(func(client *Client, parts []events.Part) error {
		_, err := client.Deliver(context.Background(), events.UserMessage{UserID: user, Parts: parts})
		return err
	})},
	"value of DeliverEvent": {caller: true, call: encoding(func(client *Client, parts []events.Part) error {
		_, err := client.DeliverEvent(context.Background(), "custom", parts[0])
		return err
	})},
	"value of Emit": {caller: true, call: encoding(func(client *Client, parts []events.Part) error {
		return client.Emit(context.Background(), "custom", parts[0])
	})},
	"body of a loop over Text": {caller: true, call: func(t *testing.T, client *Client, _ *badBackend, fn *badFunction) {
		s, err := client.Ask(t.Context(), Question{UserID: user, Text: "answer"})
		require.NoError(t, err)
		fn.arm()
		for range s.Text() {
			fn.run()
		}
	}},
}

func cutSession(_ *testing.T, _ *Client, b *badBackend, fn *badFunction) {
	fn.arm()
	b.link.Load().cut()
}

func receiveError(_ *testing.T, _ *Client, b *badBackend, fn *badFunction) {
	fn.arm()
	b.send(`42["ai:error",{"message":"no"}]`)
}

// Each function of the user panics, ends its goroutine, or calls the client. In
// a goroutine of the library a panic is recovered, and the rest continues. In
// the caller's goroutine it passes through, and leaves no state behind.
func TestClient_continuesAfterFunctionOfUser(t *testing.T) {
	for name, f := range userFunctions {
		t.Run(name+" panics", func(t *testing.T) { testUserFunction(t, f, func(*Client) { panic("boom") }, "boom") })
		t.Run(name+" calls Goexit", func(t *testing.T) { testUserFunction(t, f, func(*Client) { runtime.Goexit() }, nil) })
		t.Run(name+" calls the client", func(t *testing.T) { testUserFunction(t, f, useClient, nil) })
	}
}

// useClient calls the methods that wait for nothing.
func useClient(client *Client) {
	_, _, _, _ = client.Stats(), client.State(), client.Health(), client.EventName(events.KeyAIToken)
	_ = client.SetNames(map[events.Key]string{events.KeyAIToken: "token"})
	HandleTool(client, "another", find)()
	client.Tokens.Subscribe(context.Background()).Close()
}

func testUserFunction(t *testing.T, f userFunction, how func(*Client), passes any) {
	inBadCase(t, f, how, func(t *testing.T, client *Client, b *badBackend, fn *badFunction) {
		returned := make(chan any, 1)
		go func() { // ends with fn
			defer func() { returned <- recover() }()
			f.call(t, client, b, fn)
		}()
		time.Sleep(time.Minute) // for a reconnect
		require.True(t, fn.entered.Load(), "the function was called")
		recovered := <-returned
		if f.caller {
			assert.Equal(t, passes, recovered)
		} else {
			assert.Nil(t, recovered)
		}
	})
}

// inBadCase runs play with a client that is Ready, and checks that it works
// afterwards and has no work left.
func inBadCase(t *testing.T, f userFunction, how func(*Client), play func(*testing.T, *Client, *badBackend, *badFunction)) {
	synctest.Test(t, func(t *testing.T) {
		w, b, fn := make(wire), &badBackend{}, &badFunction{}
		cfg := Config{JoinTimeout: time.Hour}
		if f.config != nil {
			f.config(&cfg, fn.run)
		}
		client := w.client(t, cfg)
		fn.how = func() { how(client) }
		if f.add != nil {
			f.add(client, fn.run)
		}
		serving, stop := context.WithCancel(t.Context())
		defer stop()
		go b.serve(serving, w) // ends with serving
		ended, _ := wiretest.Run(t, client)
		require.NoError(t, client.Ready(t.Context()))
		play(t, client, b, fn)

		fn.armed.Store(false)
		messages := client.ChatMessages.Chan(t.Context())
		require.NoError(t, client.Ready(t.Context()))
		for _, s := range client.streams.all() {
			s.Abort("")
		}
		b.send(`42["chat:message",{"messageId":"m","userId":"u","text":"hello"}]`)
		assert.Equal(t, "hello", (<-messages).Text)
		_, err := client.Answer(t.Context(), Question{UserID: user, RequestID: "r1", Text: "answer"})
		assert.NoError(t, err)
		for name, method := range sendingMethods(client, room2) {
			if name != "Answer" {
				assert.NoError(t, method(t.Context()), name)
			}
		}
		synctest.Wait() // the tool has ended
		stats := client.Stats()
		assert.Zero(t, stats.Tools)
		assert.Zero(t, stats.Open)
		assert.Zero(t, stats.Delivering)
		assert.NoError(t, client.Shutdown(t.Context()), "no work is left")
		assert.NoError(t, <-ended)
	})
}

// A function that blocks delays neither the events of the backend nor the
// methods of the client.
func TestClient_continuesWhileFunctionOfUserBlocks(t *testing.T) {
	for name, f := range userFunctions {
		if f.reader {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var release chan struct{}
			inBadCase(t, f, func(*Client) { <-release }, func(t *testing.T, client *Client, b *badBackend, fn *badFunction) {
				release = make(chan struct{})
				messages := client.ChatMessages.Chan(t.Context())
				returned := make(chan struct{})
				go func() { // ends with fn
					defer close(returned)
					f.call(t, client, b, fn)
				}()
				time.Sleep(time.Minute)
				require.True(t, fn.entered.Load(), "the function was called")
				b.send(`42["chat:message",{"messageId":"m","userId":"u","text":"meanwhile"}]`)
				assert.Equal(t, "meanwhile", (<-messages).Text)
				if client.Health() == nil {
					assert.NoError(t, client.Emit(t.Context(), "custom", nil))
				}
				close(release)
				<-returned
			})
		})
	}
}

// A panic that passes through Run ends the open streams.
func TestRun_endsStreamsAfterPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b, fn := make(wire), &badBackend{}, &badFunction{how: func() { panic("boom") }}
		cfg := Config{}
		cfg.Conn.Auth = func(context.Context) (any, error) { fn.run(); return nil, nil }
		client := w.client(t, cfg)
		serving, stop := context.WithCancel(t.Context())
		defer stop()
		go b.serve(serving, w) // ends with serving
		passed := make(chan any, 1)
		go func() { // ends with the panic
			defer func() { passed <- recover() }()
			_ = client.Run(t.Context())
		}()
		s := askOpen(t, client)
		cutSession(t, client, b, fn)
		assert.Equal(t, "boom", <-passed)
		_, err := s.Wait()
		assert.ErrorIs(t, err, ErrStopped)

		wiretest.Run(t, client)
		synctest.Wait()
		require.NoError(t, client.Ready(t.Context()))
		assert.NoError(t, client.Shutdown(t.Context()))
	})
}

// A stream whose Resume panics, or whose question cannot be asked again, ends
// with the panic.
func TestStream_endsWithPanicError(t *testing.T) {
	for _, name := range []string{"Resume", "value of a question that is asked again"} {
		t.Run(name, func(t *testing.T) {
			inBadCase(t, userFunctions[name], func(*Client) { panic("boom") }, func(t *testing.T, client *Client, b *badBackend, fn *badFunction) {
				userFunctions[name].call(t, client, b, fn)
				s := client.streams.find("open")
				_, err := s.Wait()
				var panicked *bus.PanicError
				require.True(t, errors.As(err, &panicked))
				assert.Equal(t, "boom", panicked.Value)
			})
		})
	}
}
