package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat/chatnats"
	"github.com/seed67206a74/parley/events"
)

// chats is how many chats the events of a group belong to.
const chats = 64

func token(chat string, index int) events.AIToken {
	return events.AIToken{ChatID: events.StringID(chat), RequestID: "r", Token: "seven..", Index: index}
}

// A fixture is a server with the connections of the instances.
type fixture struct {
	server *chatnats.Server
	dir    string
	conns  []*nats.Conn
	ctx    context.Context // of all that run
	cancel context.CancelCauseFunc
	group  sync.WaitGroup
}

func newFixture(ctx context.Context) (*fixture, error) {
	dir, err := os.MkdirTemp("", "nats")
	if err != nil {
		return nil, err
	}
	server, err := chatnats.Embedded(dir)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	f := &fixture{server: server, dir: dir}
	f.ctx, f.cancel = context.WithCancelCause(ctx)
	return f, nil
}

func (f *fixture) close() {
	f.cancel(nil)
	f.group.Wait()
	for _, conn := range f.conns {
		conn.Close()
	}
	f.server.Close()
	_ = os.RemoveAll(f.dir)
}

// open opens a Bus with a connection of its own.
func (f *fixture) open() (*chatnats.Bus, error) {
	conn, err := nats.Connect(f.server.URL, nats.MaxReconnects(-1))
	if err != nil {
		return nil, err
	}
	f.conns = append(f.conns, conn)
	return chatnats.Open(f.ctx, conn, chatnats.Config{Logger: slog.New(slog.DiscardHandler)})
}

// start runs a function until close. Its error ends the measurement.
func (f *fixture) start(run func(ctx context.Context) error) {
	f.group.Go(func() { // ends with f.ctx
		if err := run(f.ctx); err != nil {
			f.cancel(err)
		}
	})
}

// until waits for a condition.
func (f *fixture) until(done func() bool) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-f.ctx.Done():
			return context.Cause(f.ctx)
		}
	}
	return nil
}

// measureWorkers returns the rate of a group of workers.
func measureWorkers(ctx context.Context, workers, count int) (rate float64, err error) {
	f, err := newFixture(ctx)
	if err != nil {
		return 0, err
	}
	defer f.close()
	var handled atomic.Int64
	busy := make([]atomic.Bool, workers)
	for i := range workers {
		b, err := f.open()
		if err != nil {
			return 0, err
		}
		f.start(func(ctx context.Context) error {
			cfg := chatnats.GroupConfig{Name: "bench", Sequence: 1, Parallel: 4}
			return chatnats.Work(ctx, b, cfg, func(context.Context, chatnats.Delivery) error {
				time.Sleep(time.Millisecond)
				busy[i].Store(true)
				handled.Add(1)
				return nil
			})
		})
	}
	b, err := f.open()
	if err != nil {
		return 0, err
	}
	var topic bus.Topic[events.Event]
	if _, err := chatnats.Forward(f.ctx, b, topic.Source(), chatnats.ForwardConfig{}); err != nil {
		return 0, err
	}
	sent := 0
	publish := func(n int) error {
		for range n {
			topic.Publish(token(fmt.Sprint("room-", sent%chats), sent/chats))
			sent++
		}
		return f.until(func() bool { return handled.Load() >= int64(sent) })
	}
	for i := range busy { // until each worker has partitions
		for !busy[i].Load() {
			if err := publish(chats); err != nil {
				return 0, err
			}
		}
	}
	begun := time.Now()
	err = publish(count)
	return float64(count) / time.Since(begun).Seconds(), err
}

// A leaseResult has the messages of all instances without events, and the rate
// of events.
type leaseResult struct{ sent, received, rate float64 }

func measureLeases(ctx context.Context, leases, instances, count int, idle time.Duration) (r leaseResult, err error) {
	f, err := newFixture(ctx)
	if err != nil {
		return r, err
	}
	defer f.close()
	each := count / leases
	start := make(chan struct{})
	all := make([]*chatnats.Bus, instances)
	for i := range all {
		if all[i], err = f.open(); err != nil {
			return r, err
		}
		for n := range leases {
			chat := fmt.Sprint("room-", n)
			f.start(func(ctx context.Context) error {
				return chatnats.RunWithLease(ctx, all[i], events.StringID(chat), chatnats.LeaseConfig{}, func(ctx context.Context) error {
					return forward(ctx, all[i], start, chat, each)
				})
			})
		}
	}
	if err := f.until(func() bool { return even(all, leases) }); err != nil {
		return r, err
	}
	before := f.messages()
	if err := f.pause(idle); err != nil {
		return r, err
	}
	after := f.messages()
	r.sent = float64(after.OutMsgs-before.OutMsgs) / idle.Seconds()
	r.received = float64(after.InMsgs-before.InMsgs) / idle.Seconds()

	reader, err := f.open()
	if err != nil {
		return r, err
	}
	feed, err := chatnats.Subscribe(f.ctx, reader, chatnats.SubscribeConfig{})
	if err != nil {
		return r, err
	}
	got := feed.Events.Chan(f.ctx, bus.OnOverflow(bus.Block))
	f.start(feed.Run)
	begun := time.Now()
	close(start)
	for range leases * each {
		if _, open := <-got; !open {
			return r, context.Cause(f.ctx)
		}
	}
	r.rate = float64(leases*each) / time.Since(begun).Seconds()
	return r, nil
}

// forward is the function of a holder. It forwards its events after start. A
// later holder forwards the same events, which the stream drops.
func forward(ctx context.Context, b *chatnats.Bus, start <-chan struct{}, chat string, count int) error {
	var topic bus.Topic[events.Event]
	forwarding, err := chatnats.Forward(ctx, b, topic.Source(), chatnats.ForwardConfig{})
	if err != nil {
		return err
	}
	select {
	case <-start:
		for i := range count {
			topic.Publish(token(chat, i))
		}
	case <-ctx.Done():
	}
	topic.Close()
	if err := forwarding.Wait(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// even reports whether all leases are held, and shared evenly.
func even(all []*chatnats.Bus, leases int) bool {
	sum, least, most := 0, leases, 0
	for _, b := range all {
		held := b.Stats().Leases
		sum, least, most = sum+held, min(least, held), max(most, held)
	}
	return sum == leases && most-least <= 1
}

// messages returns the sums of the messages of all connections.
func (f *fixture) messages() (sum nats.Statistics) {
	for _, conn := range f.conns {
		s := conn.Stats()
		sum.InMsgs += s.InMsgs
		sum.OutMsgs += s.OutMsgs
	}
	return sum
}

func (f *fixture) pause(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-f.ctx.Done():
		return context.Cause(f.ctx)
	}
}
