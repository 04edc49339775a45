package conn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/engineio"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	recoverable = `0{"sid":"socket-1","pid":"private"}`
	fresh       = `0`
)

func resuming(offset string) string { return fmt.Sprintf(`0{"pid":"private","offset":%q}`, offset) }

// A volatile event has no offset, but its last argument may be a string.
func TestRecovery_recognizesOffsets(t *testing.T) {
	huge := strings.Repeat("x", 1_100_000)
	for name, tc := range map[string]struct{ offset, last, want string }{
		"huge":                         {"PaBcDeF", huge, "PaBcDeF"},
		"huge, and the only one":       {"", huge, ""},
		"short":                        {"PaBcDeF", "bob", "PaBcDeF"},
		"short, after a seed":          {"PaBcDeF.1a", "bob", "PaBcDeF.1a"},
		"with a space":                 {"offset-1", "a name", "offset-1"},
		"not ASCII":                    {"offset-1", "ö", "offset-1"},
		"no offset of Redis":           {"1718000000000-9", "PaBcDeF", "1718000000000-9"},
		"no offset of MongoDB":         {"64f0c0ffee64f0c0ffee64f0", "bob", "64f0c0ffee64f0c0ffee64f0"},
		"the next in memory":           {"PaBcDeF", "PaBcDeG", "PaBcDeG"},
		"the same time in memory":      {"PaBcDeF.Z", "PaBcDeF.10", "PaBcDeF.10"},
		"the next of Redis":            {"1718000000000-9", "1718000000000-10", "1718000000000-10"},
		"the next of MongoDB":          {"64f0c0ffee64f0c0ffee64f0", "64f0c0ffee64f0c0ffee64f1", "64f0c0ffee64f0c0ffee64f1"},
		"the next of another server":   {"9", "10", "10"},
		"another form than the first":  {"bob", "PaBcDeF", "PaBcDeF"},
		"longer than of known servers": {"orders:7:1", "orders:7:10", "orders:7:10"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := make(memory)
				c := m.conn(t, conn.Config{})
				wiretest.Run(t, c)
				l, connect := m.accept(recoverable)
				assert.Equal(t, fresh, connect)
				if tc.offset != "" {
					l.in <- fmt.Sprintf(`2["hello",1,%q]`, tc.offset)
				}
				l.in <- fmt.Sprintf(`2["blob",%q]`, tc.last)
				synctest.Wait()
				l.cut(io.EOF)
				_, connect = m.accept(recoverable)
				if tc.want == "" {
					assert.Equal(t, fresh, connect)
				} else {
					assert.Equal(t, resuming(tc.want), connect)
				}
			})
		})
	}
}

// A string that is no offset is a payload.
func TestRecovery_decodesStringOfVolatileEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := make(memory)
		c := m.conn(t, conn.Config{})
		failures := c.DecodeErrors.Chan(t.Context())
		conn.On[int](c, "blob").Chan(t.Context())
		wiretest.Run(t, c)
		l, _ := m.accept(recoverable)
		l.in <- `2["hello",1,"PaBcDeF"]`
		l.in <- `2["blob","bob"]`
		assert.Equal(t, `["blob","bob"]`, string((<-failures).Raw))
	})
}

// A resumption is tried once, and not after an end that it may repeat.
func TestRecovery_startsFreshAfterFailure(t *testing.T) {
	tooMany := `512-["n",` + strings.TrimSuffix(strings.Repeat(`{},`, 12), ",") + `,"offset-2"]`
	for name, tc := range map[string]struct {
		first  func(l *link) // ends the first session
		second func(l *link) // fails the attempt to resume it; nil if there must be none
	}{
		"no reply":                     {func(l *link) { l.cut(io.EOF) }, func(l *link) { l.cut(io.EOF) }},
		"closed because of its size":   {func(l *link) { l.cut(io.EOF) }, func(l *link) { l.cut(engineio.ErrClosed) }},
		"replay with too many":         {func(l *link) { l.cut(io.EOF) }, func(l *link) { l.in <- tooMany }},
		"replay that is cut":           {func(l *link) { l.cut(io.EOF) }, func(l *link) { l.in <- `2["n",2,"offset-2"]`; l.cut(io.EOF) }},
		"no reply in time":             {func(l *link) { l.cut(io.EOF) }, func(l *link) {}},
		"refused":                      {func(l *link) { l.cut(io.EOF) }, func(l *link) { l.in <- `4{"message":"no"}` }},
		"protocol error":               {func(l *link) { l.in <- tooMany }, nil},
		"payload that is not JSON":     {func(l *link) { l.in <- `2["n",` }, nil},
		"disconnected by the server":   {func(l *link) { l.in <- `1` }, nil},
		"refused after CONNECT":        {func(l *link) { l.in <- `4{"message":"no"}` }, nil},
		"disconnected after OnConnect": {func(l *link) { l.in <- `2["fail",1]` }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := make(memory)
				failures := make(<-chan int)
				c := m.conn(t, conn.Config{
					Retry: func(error) bool { return true },
					OnConnect: func(ctx context.Context, s *conn.Session) error {
						select {
						case <-failures:
							return errors.New("failed")
						case <-ctx.Done():
							return nil
						}
					},
				})
				failures = conn.On[int](c, "fail").Chan(t.Context())
				conn.On[int](c, "n").Chan(t.Context())
				wiretest.Run(t, c)
				l, _ := m.accept(recoverable)
				l.in <- `2["n",1,"offset-1"]`
				synctest.Wait()
				tc.first(l)
				if tc.second != nil {
					l = <-m
					assert.Equal(t, resuming("offset-1"), <-l.out)
					tc.second(l)
				}
				_, connect := m.accept(recoverable)
				assert.Equal(t, fresh, connect)
			})
		})
	}
}

func TestRecovery_startsFreshInNextRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := make(memory)
		c := m.conn(t, conn.Config{})
		_, stop := wiretest.Run(t, c)
		l, _ := m.accept(recoverable)
		l.in <- `2["n",1,"offset-1"]`
		synctest.Wait()
		stop()
		assert.Equal(t, "1", <-l.out, "DISCONNECT")
		wiretest.Run(t, c)
		_, connect := m.accept(recoverable)
		assert.Equal(t, fresh, connect)
	})
}

// Before a dial succeeds, the server has not seen the resumption.
func TestRecovery_outlivesFailedDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := make(memory)
		c := m.conn(t, conn.Config{HandshakeTimeout: time.Second})
		wiretest.Run(t, c)
		l, _ := m.accept(recoverable)
		l.in <- `2["n",1,"offset-1"]`
		synctest.Wait()
		l.cut(io.EOF)
		time.Sleep(10 * time.Second) // dials that time out
		_, connect := m.accept(recoverable)
		assert.Equal(t, resuming("offset-1"), connect)
	})
}

// If the server has not noticed the end of a session, it still closes the old
// socket later. For a session that was itself resumed it then removes the rooms
// of the new socket, which has the same id.
func TestRecovery_resumesAgainOnlyAfterServerNoticed(t *testing.T) {
	for name, tc := range map[string]struct {
		err   error
		delay time.Duration
		want  string
	}{
		"broken":                 {io.EOF, time.Second, fresh},
		"closed by the server":   {engineio.ErrClosed, time.Second, resuming("offset-2")},
		"broken for a long time": {io.EOF, 2 * time.Minute, resuming("offset-2")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := make(memory)
				c := m.conn(t, conn.Config{Reconnect: reconnect.Policy{InitialInterval: tc.delay, MaxInterval: tc.delay}})
				wiretest.Run(t, c)
				l, _ := m.accept(recoverable)
				l.in <- `2["n",1,"offset-1"]`
				synctest.Wait()
				l.cut(io.EOF)
				l, connect := m.accept(recoverable)
				assert.Equal(t, resuming("offset-1"), connect)
				l.in <- `2["n",2,"offset-2"]`
				synctest.Wait()
				require.True(t, c.State().Recovered)
				l.cut(tc.err)
				_, connect = m.accept(recoverable)
				assert.Equal(t, tc.want, connect)
			})
		})
	}
}

// A full subscription with bus.Block holds an event when the session is lost.
// The event is delivered, then those of the next session; each once, to each
// subscription and handler.
func TestRecovery_handsOverBlockedEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := make(memory)
		c := m.conn(t, conn.Config{})
		blocking := conn.On[int](c, "n").Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.Block)).C()
		other := conn.On[int](c, "n").Chan(t.Context())
		handled := make(chan int, 10)
		defer conn.Handle(c, "n", func(_ context.Context, n int) (any, error) { handled <- n; return nil, nil })()
		ended, stop := wiretest.Run(t, c)
		l, _ := m.accept(recoverable)
		for n := range 4 {
			l.in <- fmt.Sprintf(`2["n",%d,"offset-%d"]`, n, n)
		}
		synctest.Wait()
		// The reader is blocked, so that a failing write reports the loss.
		l.cut(io.EOF)
		assert.ErrorIs(t, c.Emit(t.Context(), "lost"), conn.ErrSessionLost)
		l, connect := m.accept(recoverable)
		assert.Equal(t, resuming("offset-1"), connect, "the event in hand counts as received")
		require.NoError(t, c.Ready(t.Context()))
		assert.True(t, c.State().Recovered)
		for n := 2; n < 5; n++ {
			l.in <- fmt.Sprintf(`2["n",%d,"offset-%d"]`, n, n)
		}
		synctest.Wait()
		assert.Len(t, other, 2, "the new reader waits")
		for want := range 5 {
			assert.Equal(t, want, <-blocking)
			assert.Equal(t, want, <-other)
		}
		synctest.Wait()
		assert.Empty(t, blocking)
		assert.Empty(t, other)
		assert.Len(t, handled, 5)
		assert.Equal(t, resuming("offset-4"), func() string {
			l.cut(engineio.ErrClosed)
			_, connect := m.accept(recoverable)
			return connect
		}())
		stop()
		assert.NoError(t, <-ended)
	})
}
