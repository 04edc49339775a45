//go:build soak

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/require"
)

// TestSoak runs everything at once for the duration PARLEY_SOAK; make soak runs
// it. Residents ask and deliver over networks with faults, subscribers come and
// go, and rounds of TestChaos run as well. The use of resources must not grow.
func TestSoak(t *testing.T) {
	duration, err := time.ParseDuration(os.Getenv("PARLEY_SOAK"))
	require.NoError(t, err)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	backend := startServer(t, "RECOVERY=1")
	control := startControl(t, backend)
	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()

	var running sync.WaitGroup
	var residents []*resident
	for n, m := range modes[:3] { // the recovering ones
		proxy := startProxy(t, backend, Plan{Seed: seed, Client: uint64(n)}.Faults)
		r := &resident{peer: m.newPeer(t, fmt.Sprint("resident", n), proxy, control)}
		r.client.Raw.Subscribe(ctx, bus.Limit(stuckLimit), bus.OnOverflow(bus.DropOldest)) // stuck
		r.run(t)
		residents = append(residents, r)
		running.Go(func() { r.ask(ctx, "q0") })
		running.Go(func() { r.ask(ctx, "q1") })
		running.Go(func() { r.deliver(ctx) })
		running.Go(func() { r.subscribe(ctx, rand.New(rand.NewPCG(seed, uint64(n)))) })
	}
	running.Go(func() { // runs one round after the other
		for n := uint64(0); ctx.Err() == nil; n++ {
			m := modes[n%3]
			t.Run(fmt.Sprint(m.name, "/", seed+n), func(t *testing.T) { m.runOn(t, backend, control, seed+n, short) })
			for client := range 2 {
				_ = control.TryEmit("chaos:forget", map[string]string{"chatId": fmt.Sprintf("room%d-%d", client, seed+n)})
			}
		}
	})

	const count = 60
	var samples []sample
	for len(samples) < count && ctx.Err() == nil {
		select {
		case <-time.After(duration / count):
		case <-ctx.Done():
		}
		samples = append(samples, measure())
		for _, r := range residents {
			_ = control.TryEmit("chaos:prune", map[string]string{"chatId": r.room})
		}
	}
	cancel()
	running.Wait()
	t.Logf("\n%s", table(samples))
	for _, fault := range growth(samples) {
		t.Error(fault)
	}
	for _, r := range residents {
		t.Logf("%s; %d answers, %d given up, %d delivered, %d subscriptions",
			r.summary(), r.answers.Load(), r.givenUp.Load(), r.delivered.Load(), r.subscriptions.Load())
		for _, fault := range append(append(r.wire.wrong(), r.states.wrong()...), r.faults...) {
			t.Errorf("%s: %s", r.room, fault)
		}
	}
}

// A resident is a client that runs for the whole test.
type resident struct {
	*peer
	answers, givenUp, delivered, subscriptions atomic.Int64

	mu     sync.Mutex
	faults []string
}

func (r *resident) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

func (r *resident) ask(ctx context.Context, worker string) {
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprintf("%s-%s-%d", r.room, worker, n)
		var message events.AIMessage
		stream, err := r.peer.ask(ctx, chat.Question{UserID: user, Text: "30 3", RequestID: id, MessageID: "question-" + id})
		if err == nil {
			message, err = stream.Wait()
		}
		r.asked.Delete(id)
		switch {
		case ctx.Err() != nil:
		case err == nil:
			r.answers.Add(1)
			var want strings.Builder
			for i := range 30 {
				fmt.Fprintf(&want, "%s.%d ", id, i)
			}
			if message.Text != want.String() {
				r.fault("the answer to %s is %q", id, message.Text)
			}
		default:
			r.givenUp.Add(1)
			if kind := kindOf(err); strings.HasPrefix(kind, "*") {
				r.fault("%s ended with %v", id, err)
			}
		}
	}
}

func (r *resident) deliver(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		m := events.UserMessage{MessageID: fmt.Sprintf("%s-%d", r.room, n), UserID: user, Text: "hi"}
		if _, err := r.client.Deliver(ctx, m); err == nil {
			r.delivered.Add(1)
		} else if ctx.Err() == nil {
			r.fault("%s was not delivered: %v", m.MessageID, err)
		}
	}
}

// subscribe subscribes with random options, and ends each subscription soon.
func (r *resident) subscribe(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		r.subscriptions.Add(1)
		limit := bus.Limit(1 + random.IntN(50))
		policy := bus.OnOverflow([]bus.Policy{bus.Fail, bus.Block, bus.DropOldest, bus.DropNewest}[random.IntN(4)])
		switch random.IntN(4) {
		case 0:
			visit(ctx, random, r.client.Tokens.Subscribe(ctx, limit, policy))
		case 1:
			visit(ctx, random, r.client.Events.Subscribe(ctx, limit, policy))
		case 2:
			visit(ctx, random, r.client.Raw.Subscribe(ctx, limit, policy))
		case 3:
			name := fmt.Sprint("unused ", random.IntN(10))
			sub := conn.On[int](r.client.Conn(), name).Subscribe(ctx, limit)
			sub.Close()
		}
	}
}

// visit receives a few values, and closes the subscription.
func visit[T any](ctx context.Context, random *rand.Rand, sub *bus.Subscription[T]) {
	defer sub.Close()
	for range random.IntN(100) {
		select {
		case _, open := <-sub.C():
			if !open {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func measure() sample {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	files, _ := os.ReadDir("/proc/self/fd") // empty where there is no /proc
	return sample{runtime.NumGoroutine(), int(memory.HeapAlloc), len(files)}
}

func table(samples []sample) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-18s %30s %30s %30s %30s\n", "low/middle/high", "first quarter", "second", "third", "last")
	for _, r := range resources {
		fmt.Fprintf(&b, "%-18s", r.name)
		for n := range 4 {
			s := quarter(samples, n, r.of)
			fmt.Fprintf(&b, " %30s", fmt.Sprintf("%d/%d/%d", s.low, s.middle, s.high))
		}
		b.WriteByte('\n')
	}
	return b.String()
}
