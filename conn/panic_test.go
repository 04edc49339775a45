package conn_test

import (
	"context"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// misbehaviours returns functions that do not return normally at their first
// call, and a function that returns.
func misbehaviours() map[string]func() func() {
	once := func(fn func()) func() func() {
		return func() func() {
			var done atomic.Bool // calls of a handler are concurrent
			return func() {
				if !done.Swap(true) {
					fn()
				}
			}
		}
	}
	return map[string]func() func(){
		"panics":        once(func() { panic("boom") }),
		"calls Goexit":  once(runtime.Goexit),
		"returns as is": once(func() {}),
	}
}

// dialFunc is a Dialer.
type dialFunc func(ctx context.Context, to conn.Endpoint) (conn.Engine, error)

func (f dialFunc) Dial(ctx context.Context, to conn.Endpoint) (conn.Engine, error) { return f(ctx, to) }

// logFunc is a slog.Handler.
type logFunc func(r slog.Record)

func (f logFunc) Enabled(context.Context, slog.Level) bool      { return true }
func (f logFunc) WithAttrs([]slog.Attr) slog.Handler            { return f }
func (f logFunc) WithGroup(string) slog.Handler                 { return f }
func (f logFunc) Handle(_ context.Context, r slog.Record) error { f(r); return nil }

// A function that Run calls in its caller's goroutine: a panic passes through
// Run, Goexit ends the goroutine, and in both cases Run can be called again.
func TestRun_leavesNoStateAfterPanic(t *testing.T) {
	for name, install := range map[string]func(cfg *conn.Config, misbehave func()){
		"Auth": func(cfg *conn.Config, misbehave func()) {
			cfg.Auth = func(context.Context) (any, error) { misbehave(); return nil, nil }
		},
		"Auth's value": func(cfg *conn.Config, misbehave func()) {
			cfg.Auth = func(context.Context) (any, error) { return badJSON(misbehave), nil }
		},
		"Retry": func(cfg *conn.Config, misbehave func()) {
			failed := false
			cfg.Auth = func(context.Context) (any, error) {
				if !failed {
					failed = true
					return nil, &conn.RefusedError{}
				}
				return nil, nil
			}
			cfg.Retry = func(error) bool { misbehave(); return true }
		},
		"Dialer": func(cfg *conn.Config, misbehave func()) {
			dialer := cfg.Dialer
			cfg.Dialer = dialFunc(func(ctx context.Context, to conn.Endpoint) (conn.Engine, error) {
				misbehave()
				return dialer.Dial(ctx, to)
			})
		},
		"Logger while connecting": func(cfg *conn.Config, misbehave func()) {
			cfg.Logger = slog.New(logFunc(func(slog.Record) { misbehave() }))
		},
		"Logger when Ready": func(cfg *conn.Config, misbehave func()) {
			cfg.Logger = slog.New(logFunc(func(r slog.Record) {
				if r.Message == "conn: ready" {
					misbehave()
				}
			}))
		},
	} {
		for how, misbehaviour := range misbehaviours() {
			t.Run(name+" "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := make(memory)
					cfg := conn.Config{Dialer: m, Reconnect: soon}
					install(&cfg, misbehaviour())
					c, err := conn.New("http://localhost", cfg)
					require.NoError(t, err)
					serve := func(l *link) {
						if <-l.out != "" {
							l.in <- fresh + `{"sid":"s"}`
						}
					}
					accepting, stop := context.WithCancel(t.Context())
					defer stop()
					go func() { // ends with accepting
						for {
							select {
							case l := <-m:
								go serve(l) // ends with the handshake
							case <-accepting.Done():
								return
							}
						}
					}()
					ended := make(chan any, 1)
					go func() { // ends with Run
						defer func() { ended <- recover() }()
						_ = c.Run(t.Context())
					}()
					synctest.Wait()
					if how == "returns as is" {
						require.NoError(t, c.Ready(t.Context()))
						require.NoError(t, c.Close())
						assert.Nil(t, <-ended)
						return
					}
					if how == "panics" {
						assert.Equal(t, "boom", <-ended)
					} else {
						assert.Nil(t, <-ended)
					}
					assert.Equal(t, conn.Stopped, c.State().Phase)
					assert.ErrorContains(t, c.Ready(t.Context()), "Run ended by a panic or runtime.Goexit")
					assert.Nil(t, c.Session())

					again, _ := wiretest.Run(t, c)
					synctest.Wait()
					require.NoError(t, c.Ready(t.Context()))
					require.NoError(t, c.Close())
					assert.NoError(t, <-again)
				})
			})
		}
	}
}

// badJSON is a value whose encoding and decoding call a function.
type badJSON func()

func (b badJSON) MarshalJSON() ([]byte, error) { b(); return []byte(`{}`), nil }

// decoding misbehaves when an event is decoded. Tests set it while they run
// alone.
var decoding func()

type badType struct{}

func (*badType) UnmarshalJSON([]byte) error { decoding(); return nil }

// A badListener calls a function for each event.
type badListener struct{ receive func() }

func (b *badListener) Active() bool                                { return true }
func (b *badListener) Receive(context.Context, conn.Payload) error { b.receive(); return nil }
func (b *badListener) Close()                                      {}

// A function that runs in a goroutine of the library. After a panic the session
// and the other receivers of the event continue. After Goexit of the reader the
// next session continues.
func TestConn_continuesAfterPanicOfUserFunction(t *testing.T) {
	for name, install := range map[string]func(c *conn.Conn, misbehave func()){
		"Listener.Receive": func(c *conn.Conn, misbehave func()) {
			c.UpdateRoutes(nil, []conn.Route{{Name: "n", Listener: &badListener{misbehave}}})
		},
		"filter of an event": func(c *conn.Conn, misbehave func()) {
			conn.On[int](c, "n").Subscribe(context.Background(), bus.Filter(func(int) bool { misbehave(); return true }))
		},
		"filter of Raw": func(c *conn.Conn, misbehave func()) {
			c.Raw.Subscribe(context.Background(), bus.Filter(func(conn.Event) bool { misbehave(); return true }))
		},
		"filter of DecodeErrors": func(c *conn.Conn, misbehave func()) {
			conn.On[string](c, "n").Chan(context.Background())
			c.DecodeErrors.Subscribe(context.Background(), bus.Filter(func(conn.DecodeError) bool { misbehave(); return true }))
		},
		"UnmarshalJSON": func(c *conn.Conn, misbehave func()) {
			decoding = misbehave
			conn.On[badType](c, "n").Chan(context.Background())
		},
		"handler": func(c *conn.Conn, misbehave func()) {
			conn.Handle(c, "n", func(context.Context, int) (any, error) { misbehave(); return "ok", nil })
		},
	} {
		for how, misbehaviour := range misbehaviours() {
			t.Run(name+" "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := make(memory)
					c := m.conn(t, conn.Config{Logger: slog.New(slog.DiscardHandler)})
					install(c, misbehaviour())
					numbers := conn.On[int](c, "n").Chan(t.Context())
					wiretest.Run(t, c)
					l, _ := m.accept(`0{"sid":"s"}`)
					l.in <- `2["n",1]`
					l.in <- `2["n",2]`
					synctest.Wait()
					if how == "calls Goexit" && name != "handler" {
						l, _ = m.accept(`0{"sid":"s"}`) // the reader is gone
						l.in <- `2["n",2]`
						synctest.Wait()
					} else if name != "filter of an event" { // which is on the same topic
						assert.Equal(t, 1, <-numbers)
					}
					var got int
					for len(numbers) > 0 {
						got = <-numbers
					}
					assert.Equal(t, 2, got)
					require.NoError(t, c.Ready(t.Context()))
				})
			})
		}
	}
}

func TestHandle_repliesErrorAfterPanic(t *testing.T) {
	for how, want := range map[string]string{
		"panics":        `30[{"error":"handler has panicked"}]`,
		"calls Goexit":  `30[{"error":"handler has panicked"}]`,
		"returns as is": `30[{}]`,
	} {
		for place, handle := range map[string]func(misbehave func()) (any, error){
			"handler":       func(misbehave func()) (any, error) { misbehave(); return badJSON(func() {}), nil },
			"reply":         func(misbehave func()) (any, error) { return badJSON(misbehave), nil },
			"ReplyError":    func(misbehave func()) (any, error) { return nil, &conn.ReplyError{Reply: badJSON(misbehave)} },
			"log and reply": func(misbehave func()) (any, error) { return badJSON(misbehave), nil },
		} {
			t.Run(place+" "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := make(memory)
					c := m.conn(t, conn.Config{Logger: slog.New(logFunc(func(r slog.Record) {
						if place == "log and reply" && r.Level == slog.LevelError {
							panic("log")
						}
					}))})
					misbehave := misbehaviours()[how]()
					conn.Handle(c, "n", func(context.Context, int) (any, error) { return handle(misbehave) })
					wiretest.Run(t, c)
					l, _ := m.accept(`0{"sid":"s"}`)
					l.in <- `20["n",1]`
					assert.Equal(t, want, <-l.out)
				})
			})
		}
	}
}

func TestOnConnect_isRetriedAfterPanic(t *testing.T) {
	for _, how := range []string{"panics", "calls Goexit"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := make(memory)
				misbehave := misbehaviours()[how]()
				c := m.conn(t, conn.Config{OnConnect: func(context.Context, *conn.Session) error { misbehave(); return nil }})
				states := c.States.Chan(t.Context())
				wiretest.Run(t, c)
				m.accept(`0{"sid":"s"}`)
				err := wiretest.ReceivePhase(t, states, conn.Waiting).Err
				var failed *conn.OnConnectError
				require.ErrorAs(t, err, &failed)
				var panicked *bus.PanicError
				require.ErrorAs(t, err, &panicked)
				m.accept(`0{"sid":"s"}`)
				require.NoError(t, c.Ready(t.Context()))
			})
		})
	}
}

// A value that panics while it is encoded, or a function of Do that panics,
// leaves no work behind.
func TestShutdown_returnsAfterPanicOfCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := make(memory)
		c := m.conn(t, conn.Config{})
		wiretest.Run(t, c)
		m.accept(`0{"sid":"s"}`)
		require.NoError(t, c.Ready(t.Context()))
		boom := badJSON(func() { panic("boom") })
		assert.Panics(t, func() { _ = c.Emit(t.Context(), "n", boom) })
		assert.Panics(t, func() { _, _ = conn.Call[any](t.Context(), c, "n", boom) })
		assert.Panics(t, func() {
			_ = c.Do(t.Context(), func(context.Context, *conn.Session) error { panic("boom") })
		})
		assert.NoError(t, c.Shutdown(t.Context()))
	})
}
