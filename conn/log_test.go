package conn_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLogger_recordsChangesOfState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var entries []string
		log := slog.New(logFunc(func(r slog.Record) {
			fields := map[string]any{}
			r.Attrs(func(a slog.Attr) bool { fields[a.Key] = a.Value.Any(); return true })
			mu.Lock()
			defer mu.Unlock()
			entries = append(entries, fmt.Sprintf("%v %s attempt=%v error=%v session=%v", r.Level, r.Message,
				fields["attempt"], fields["error"], fields["session"]))
			assert.Contains(t, fields, "delay")
		}))
		m := make(memory)
		c := m.conn(t, conn.Config{Logger: log})
		_, stop := wiretest.Run(t, c)
		l, _ := m.accept(fresh + `{"sid":"one"}`)
		synctest.Wait()
		l.cut(errors.New("cable"))
		m.accept(fresh + `{"sid":"two"}`)
		synctest.Wait()
		stop()
		assert.Equal(t, []string{
			"DEBUG conn: connecting attempt=0 error=<nil> session=",
			"DEBUG conn: connected attempt=0 error=<nil> session=one",
			"DEBUG conn: ready attempt=0 error=<nil> session=one",
			"WARN conn: waiting attempt=1 error=conn: connection lost: cable session=",
			"DEBUG conn: connecting attempt=1 error=<nil> session=",
			"DEBUG conn: connected attempt=1 error=<nil> session=two",
			"DEBUG conn: ready attempt=1 error=<nil> session=two",
			"DEBUG conn: stopped attempt=0 error=<nil> session=",
		}, entries)
		require.NoError(t, c.Close())
	})
}

// The server reads nothing, so DISCONNECT cannot be written.
func TestRun_closesSessionWithinSecond(t *testing.T) {
	failed := errors.New("failed")
	for name, end := range map[string]func(c *conn.Conn, stop func()) error{
		"OnConnect fails": func(*conn.Conn, func()) error { return failed },
		"ctx ends":        func(_ *conn.Conn, stop func()) error { go stop(); return nil },
		"Close":           func(c *conn.Conn, _ func()) error { go c.Close(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := make(memory)
				var ended time.Time
				var c *conn.Conn
				var stop func()
				c = m.conn(t, conn.Config{OnConnect: func(ctx context.Context, s *conn.Session) error {
					for range 100 { // which the link buffers
						if err := s.Emit(ctx, "x"); err != nil {
							return err
						}
					}
					ended = time.Now()
					return end(c, stop)
				}})
				_, stop = wiretest.Run(t, c)
				l, _ := m.accept(fresh + `{"sid":"one"}`)
				<-l.gone
				assert.LessOrEqual(t, time.Since(ended), time.Second)
				stop()
				require.NoError(t, c.Close())
			})
		})
	}
}
