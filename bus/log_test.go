package bus_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/bus"
)

// recorder is a slog.Handler that keeps the lines and calls on after each.
type recorder struct {
	mu    sync.Mutex
	lines []string
	on    func()
}

func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *recorder) WithGroup(string) slog.Handler            { return r }

func (r *recorder) Handle(_ context.Context, record slog.Record) error {
	line := record.Level.String() + " " + record.Message
	record.Attrs(func(a slog.Attr) bool {
		line += fmt.Sprintf(" %s=%s", a.Key, a.Value)
		return true
	})
	r.mu.Lock()
	r.lines = append(r.lines, line)
	r.mu.Unlock()
	if r.on != nil {
		r.on()
	}
	return nil
}

const (
	behind = "WARN bus: slow subscription is at its limit"
	caught = "INFO bus: subscription has caught up"
)

func TestLogger_recordsEachSlowTransitionOnce(t *testing.T) {
	for _, policy := range []bus.Policy{bus.DropOldest, bus.DropNewest} {
		t.Run(policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log recorder
				topic := bus.Topic[int]{Name: "tokens", Logger: slog.New(&log)}
				sub := topic.Subscribe(t.Context(), bus.Limit(200), bus.OnOverflow(policy), bus.Name("screen"))
				fill := func(n int) {
					for n := range n {
						topic.Publish(n)
						synctest.Wait()
					}
				}
				attributes := " topic=tokens subscription=screen policy=" + policy.String() + " limit=200"

				fill(200)
				assert.Empty(t, log.lines, "full, nothing dropped yet")
				fill(10)
				assert.Equal(t, []string{behind + attributes + " pending=200 dropped=1"}, log.lines)

				take(sub.C(), 199)
				fill(1)
				fill(300)
				assert.Len(t, log.lines, 1, "it never caught up")

				dropped := sub.Stats().Dropped
				take(sub.C(), 200)
				synctest.Wait()
				fill(2)
				require.Len(t, log.lines, 2)
				assert.Equal(t, caught+attributes+fmt.Sprintf(" pending=0 dropped=%d", dropped), log.lines[1])

				fill(300)
				assert.Len(t, log.lines, 3)
				sub.Close()
			})
		})
	}
}

func TestOnSlow_runsSeriallyUnderConcurrentPublish(t *testing.T) {
	var calls, reported, behind atomic.Int64
	topic := quiet[int]()
	topic.OnSlow = func(s bus.SlowEvent) {
		assert.EqualValues(t, 1, calls.Add(1), "one at a time")
		assert.Equal(t, s.CaughtUp, behind.Load() == 1, "behind, caught up, behind")
		behind.Store(1 - behind.Load())
		reported.Add(1)
		runtime.Gosched()
		calls.Add(-1)
	}
	sub := topic.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.DropNewest))
	var publishing, reading sync.WaitGroup
	for range 4 {
		publishing.Go(func() {
			for n := range 5000 {
				topic.Publish(n)
			}
		})
	}
	reading.Go(func() { rest(sub.C()) })
	publishing.Wait()
	topic.Close()
	reading.Wait()
	assert.NotZero(t, reported.Load())
}

func TestOnSlow_reportsTransitionsItCausesAfterReturning(t *testing.T) {
	var reported []string
	topic := quiet[int]()
	var sub *bus.Subscription[int]
	topic.OnSlow = func(s bus.SlowEvent) {
		if !s.CaughtUp {
			<-sub.C()
			topic.Publish(2) // finds nothing pending
		}
		reported = append(reported, fmt.Sprint(s.CaughtUp))
	}
	sub = topic.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.DropNewest))
	topic.Publish(0)
	topic.Publish(1)
	assert.Equal(t, []string{"false", "true"}, reported)
	topic.Close()
}

func TestLogger_recordsFailedSubscription(t *testing.T) {
	var log recorder
	topic := bus.Topic[int]{Name: "tokens", Logger: slog.New(&log)}
	topic.Subscribe(t.Context(), bus.Limit(1), bus.Name("screen"))
	for n := range 5 {
		topic.Publish(n)
	}
	assert.Equal(t, []string{behind + " topic=tokens subscription=screen policy=Fail limit=1 pending=1 dropped=1"}, log.lines)
}

func TestLogger_recordsBlockedPublisherWhenWaitBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log recorder
		topic := bus.Topic[int]{Logger: slog.New(&log)}
		sub := topic.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.Block), bus.Name("screen"))
		topic.Publish(0)
		go topic.Publish(1) // ends when 0 is taken
		synctest.Wait()
		assert.Equal(t, []string{behind + " topic= subscription=screen policy=Block limit=1 pending=1 dropped=0"}, log.lines)
		assert.Equal(t, 0, <-sub.C())
		synctest.Wait()
		assert.Equal(t, 1, <-sub.C())
		synctest.Wait()
		topic.Publish(2)
		assert.Len(t, log.lines, 2)
		sub.Close()
	})
}

func TestName_defaultsToCallerLocation(t *testing.T) {
	var log recorder
	topic := bus.Topic[int]{Logger: slog.New(&log)}
	_, _, line, _ := runtime.Caller(0)
	topic.Subscribe(t.Context(), bus.Limit(1))
	topic.Chan(t.Context(), bus.Limit(1))
	topic.Source().Subscribe(t.Context(), bus.Limit(1))
	topic.Source().Chan(t.Context(), bus.Limit(1))
	topic.Publish(0)
	topic.Publish(1)
	require.Len(t, log.lines, 4)
	slices.Sort(log.lines)
	for i, got := range log.lines {
		assert.Regexp(t, fmt.Sprintf(`subscription=\S*log_test\.go:%d `, line+1+i), got)
	}
}

func TestLogger_usesCurrentSlogDefault(t *testing.T) {
	var topic bus.Topic[int]
	topic.Subscribe(t.Context(), bus.Limit(1))
	topic.Publish(0)
	var log recorder
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(&log))
	topic.Publish(1)
	assert.Len(t, log.lines, 1)
}

func TestLogger_allowsHandlerToUseTopic(t *testing.T) {
	for _, policy := range []bus.Policy{bus.Fail, bus.DropOldest, bus.DropNewest} {
		t.Run(policy.String(), func(t *testing.T) {
			var log recorder
			topic := bus.Topic[int]{Replay: 3, Logger: slog.New(&log)}
			sub := topic.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(policy))
			log.on = func() {
				topic.Publish(-1)
				topic.Subscribe(t.Context()).Close()
				sub.Stats()
				sub.Close()
				topic.Close()
			}
			topic.Publish(0)
			topic.Publish(1)
			assert.Len(t, log.lines, 1)
			assert.Len(t, rest(sub.C()), 1)
		})
	}
}

func TestPublish_deliversToOthersBeforeLogging(t *testing.T) {
	var log recorder
	topic := bus.Topic[int]{Logger: slog.New(&log)}
	topic.Subscribe(t.Context(), bus.Limit(1))
	other := topic.Subscribe(t.Context())
	var pending int
	log.on = func() { pending = other.Stats().Pending }
	topic.Publish(0)
	topic.Publish(1)
	assert.Equal(t, 2, pending)
	topic.Close()
}

func TestOnSlow_isCalledOncePerTransition(t *testing.T) {
	var reported []bus.SlowEvent
	topic := quiet[int]()
	topic.Name = "tokens"
	topic.OnSlow = func(s bus.SlowEvent) { reported = append(reported, s) }
	sub := topic.Subscribe(t.Context(), bus.Limit(2), bus.OnOverflow(bus.DropNewest), bus.Name("screen"))
	for n := range 5 {
		topic.Publish(n)
	}
	take(sub.C(), 2)
	topic.Publish(5)
	topic.Close()
	slow := bus.SlowEvent{Topic: "tokens", Subscription: "screen", Policy: bus.DropNewest, Limit: 2,
		Stats: bus.Stats{Dropped: 1, Pending: 2, HighWater: 2}}
	caughtUp := slow
	caughtUp.CaughtUp = true
	caughtUp.Stats = bus.Stats{Delivered: 2, Dropped: 3, HighWater: 2}
	assert.Equal(t, []bus.SlowEvent{slow, caughtUp}, reported)
}

// The pump refills the channel when DropOldest receives from it, before the
// pump can report its send.
func TestOnSlow_receivesConsistentStats(t *testing.T) {
	options := map[string][]bus.Option{
		"spilled":   {bus.Limit(200)},
		"conflated": {bus.Limit(2), bus.Conflate(itself)},
		"one":       {bus.Limit(1), bus.Conflate(itself)},
		"bytes":     {bus.LimitBytes(10, func(int) int { return 6 }), bus.Conflate(itself)},
	}
	for name, opts := range options {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var reported []bus.SlowEvent
				topic := quiet[int]()
				topic.OnSlow = func(s bus.SlowEvent) { reported = append(reported, s) }
				sub := topic.Subscribe(t.Context(), append(opts, bus.OnOverflow(bus.DropOldest))...)
				published := 0
				for ; len(reported) == 0; published++ {
					topic.Publish(published)
					synctest.Wait()
				}
				stats := sub.Stats()
				assert.Zero(t, stats.Delivered)
				assert.Equal(t, stats, reported[0].Stats)
				assert.EqualValues(t, published, stats.Dropped+uint64(stats.Pending))
				sub.Close()
			})
		})
	}
}

func TestOnSlow_mayUseTopic(t *testing.T) {
	topic := quiet[int]()
	calls := 0
	var sub *bus.Subscription[int]
	topic.OnSlow = func(bus.SlowEvent) {
		calls++
		topic.Publish(-1)
		topic.Stats()
		sub.Close()
		topic.Close()
	}
	sub = topic.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.DropNewest))
	topic.Publish(0)
	topic.Publish(1)
	assert.Equal(t, 1, calls)
	assert.Equal(t, []int{0}, rest(sub.C()))
}
