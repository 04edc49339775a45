package chatnats

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

func TestShareOf_isEvenAndMovesFewLeases(t *testing.T) {
	for name, c := range map[string]struct {
		leases int
		all    map[string]instance
		want   map[string]int
	}{
		"one instance":             {4, map[string]instance{"a": {4, 0}}, map[string]int{"a": 4}},
		"one lease stays":          {1, map[string]instance{"b": {1, 0}, "a": {0, 1}}, map[string]int{"b": 1, "a": 0}},
		"a new instance":           {4, map[string]instance{"b": {4, 0}, "a": {0, 4}}, map[string]int{"b": 2, "a": 2}},
		"more instances":           {4, map[string]instance{"a": {0, 4}, "b": {2, 2}, "c": {2, 2}}, map[string]int{"a": 1, "b": 2, "c": 1}},
		"an instance with a limit": {6, map[string]instance{"a": {0, 1}, "b": {6, 0}}, map[string]int{"a": 1, "b": 5}},
		"more leases than room":    {6, map[string]instance{"a": {2, 0}, "b": {2, 0}}, map[string]int{"a": 2, "b": 2}},
		"a share that differs":     {5, map[string]instance{"a": {2, 3}, "b": {3, 2}}, map[string]int{"a": 2, "b": 3}},
	} {
		t.Run(name, func(t *testing.T) {
			for id, want := range c.want {
				require.Equal(t, want, shareOf(id, c.all, c.leases), id)
			}
		})
	}
}

// TestShareOf_movesEachLeaseOnce moves leases by the shares from random states.
func TestShareOf_movesEachLeaseOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		leases, members := random.IntN(40), 1+random.IntN(8)
		held := make([]int, members)
		for range leases {
			held[random.IntN(members)]++
		}
		for round := range 2 {
			all := map[string]instance{}
			for id, n := range held {
				all[fmt.Sprint(id)] = instance{n, leases - n}
			}
			moves, sum := 0, 0
			for id, n := range held {
				share := shareOf(fmt.Sprint(id), all, leases)
				moves += max(n-share, 0)
				sum += share
				held[id] = share
			}
			require.Equal(t, leases, sum)
			require.False(t, round > 0 && moves > 0, "a lease moves again")
		}
		for _, n := range held {
			require.GreaterOrEqual(t, n, leases/members)
			require.LessOrEqual(t, n, (leases+members-1)/members)
		}
	}
}

// TestRunWithLease_sharesLeasesEvenly starts and stops instances. The backend
// of each lease counts, and sends all earlier numbers again to a new holder.
func TestRunWithLease_sharesLeasesEvenly(t *testing.T) {
	t.Parallel()
	const leases = 6
	server := newServer(t)
	var counted, moved atomic.Int64
	running(t, func(ctx context.Context) error {
		for tick := time.Tick(5 * time.Millisecond); ctx.Err() == nil; counted.Add(1) {
			<-tick
		}
		return nil
	})
	send := func(ctx context.Context, topic *bus.Topic[events.Event], chat string) {
		for i := 0; ctx.Err() == nil; {
			for ; i < int(counted.Load()) && ctx.Err() == nil; i++ {
				topic.Publish(token(chat, "r", i))
			}
			select {
			case <-time.After(time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
	start := func() (b *Bus, stop func()) {
		b = newBus(t, server.URL, Config{})
		stop = running(t, func(ctx context.Context) error {
			done := make(chan error, leases)
			for n := range leases {
				chat := fmt.Sprint("lease-", n)
				go func() { // ends with ctx
					done <- RunWithLease(ctx, b, events.StringID(chat), LeaseConfig{TTL: 2 * time.Second}, func(ctx context.Context) error {
						var topic bus.Topic[events.Event]
						f, err := Forward(ctx, b, topic.Source(), ForwardConfig{})
						if err != nil {
							return err
						}
						send(ctx, &topic, chat)
						if errors.Is(context.Cause(ctx), ErrLeaseMoved) {
							moved.Add(1)
						}
						return f.Wait()
					})
				}()
			}
			var all error
			for range leases {
				all = errors.Join(all, <-done)
			}
			return all
		})
		return b, stop
	}
	even := func(want int, all ...*Bus) {
		require.Eventually(t, func() bool {
			for _, b := range all {
				if b.Stats().Leases != want {
					return false
				}
			}
			return true
		}, patience, time.Millisecond)
	}
	one, _ := start()
	even(6, one)
	two, stop := start()
	even(3, one, two)
	three, _ := start()
	even(2, one, two, three)
	// On a busy machine a lease can be lost before it moves.
	require.Eventually(t, func() bool { return moved.Load() > 0 }, patience, time.Millisecond)
	require.Eventually(t, func() bool {
		return int64(one.Stats().LeasesMoved+two.Stats().LeasesMoved+three.Stats().LeasesMoved) >= moved.Load()
	}, patience, time.Millisecond)
	stop()
	even(3, one, three)
	until := counted.Load() + 20
	indexes := map[events.ID]int{}
	require.Eventually(t, func() bool { return counted.Load() > until }, patience, time.Millisecond)
	for _, msg := range stored(t, one) {
		event, chat, err := decode(msg.Subject, msg.Header, msg.Data)
		if errors.Is(err, errNoEvent) {
			continue
		}
		require.NoError(t, err)
		require.Equal(t, indexes[chat], event.(events.AIToken).Index, "an event is lost, stored twice or out of order")
		indexes[chat]++
	}
	require.Len(t, indexes, leases)
}

func TestBalancer_movesLeasesWithFewestAnswers(t *testing.T) {
	var r balancer
	var all []*tenureCtx
	for _, answers := range []int64{2, 0, 1, 0} {
		h := newTenureCtx(wiretest.Context(t), time.Now().Add(time.Hour))
		defer h.end(nil)
		h.answers.Store(answers)
		l := &lease{}
		r.leases, all = append(r.leases, l), append(all, h)
		r.hold(l, h)
		l.since = time.Now().Add(-time.Duration(len(all)) * time.Second)
	}
	moved := r.balance("a", map[string]instance{"b": {0, 4}})
	require.Equal(t, []*tenureCtx{all[3], all[1]}, moved, "the older one first")
	require.Empty(t, r.balance("b", map[string]instance{"a": {4, 0}}), "a has failed, or its value is out of date")
}

func TestBalancer_countsLeasesAndRoom(t *testing.T) {
	r := balancer{leases: []*lease{{token: "a"}, {token: "b"}}}
	kind, own := r.state()
	require.Equal(t, instance{0, 2}, own)
	r.leases = []*lease{{token: "b", cfg: LeaseConfig{Max: 1}}, {token: "a", cfg: LeaseConfig{Max: 1}}}
	other, own := r.state()
	require.Equal(t, kind, other, "the order of the leases has no effect")
	require.Equal(t, instance{0, 1}, own)
	h := newTenureCtx(wiretest.Context(t), time.Now().Add(time.Hour))
	defer h.end(nil)
	r.hold(r.leases[0], h)
	_, own = r.state()
	require.Equal(t, instance{1, 0}, own)
	h.end(ErrLeaseMoved)
	_, own = r.state()
	require.Equal(t, instance{0, 1}, own, "hold has not returned")
}

// TestRunWithLease_waitsWithoutReadingKeys counts the messages that a waiting
// instance sends while it receives the renewals of 50 leases.
func TestRunWithLease_waitsWithoutReadingKeys(t *testing.T) {
	t.Parallel()
	const leases = 50
	server := newServer(t)
	compete := func(b *Bus, count int, held chan<- struct{}) {
		for n := range count {
			running(t, func(ctx context.Context) error {
				return RunWithLease(ctx, b, events.StringID(fmt.Sprint("lease-", n)), LeaseConfig{TTL: 4 * time.Second}, func(ctx context.Context) error {
					held <- struct{}{}
					<-ctx.Done()
					return nil
				})
			})
		}
	}
	holder, waiting := newBus(t, server.URL, Config{}), newBus(t, server.URL, Config{})
	held := make(chan struct{}, 2*leases)
	compete(holder, leases, held)
	for range leases {
		wiretest.ReceiveFrom(t, held)
	}
	compete(waiting, leases-1, held) // not the same leases: the holder keeps them
	renewed := func(times uint64) nats.Statistics {
		before := waiting.conn.Stats().InMsgs
		require.Eventually(t, func() bool { return waiting.conn.Stats().InMsgs >= before+times*leases }, patience, time.Millisecond)
		return waiting.conn.Stats()
	}
	before, few := renewed(3), false // the first replies are those to its first look
	for range 10 {                   // it reads the key of a lease that the holder renews too late
		after := renewed(2)
		few = few || after.OutMsgs-before.OutMsgs < leases
		if before = after; few {
			break
		}
	}
	require.True(t, few, "it reads keys")
}
