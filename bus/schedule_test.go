package bus_test

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/bus"
)

// FuzzSchedule makes operations out of bytes and compares the topic with a
// simple model. After each operation it waits until every goroutine is blocked.
// It compares the values received, the closing of channels and its reason,
// every count, every slow event, and blocked publishers.
func FuzzSchedule(f *testing.F) {
	random := newRand()
	for range 100 { // beside those in testdata
		schedule := make([]byte, 400)
		for i := range schedule {
			schedule[i] = byte(random.UintN(256))
		}
		f.Add(schedule)
	}
	f.Fuzz(func(t *testing.T, schedule []byte) {
		synctest.Test(t, func(t *testing.T) { runSchedule(t, schedule[:min(len(schedule), 400)]) })
	})
}

// A run is a topic, its subscriptions and the model of both.
type run struct {
	t        *testing.T
	schedule []byte
	topic    *bus.Topic[item]
	model    modelTopic
	subs     []runSub
	number   int
	// Of the blocked publisher, if the model has one.
	cancel context.CancelFunc
	result chan error
}

type runSub struct {
	*bus.Subscription[item]
	model    *modelSub
	cancel   context.CancelFunc
	caughtUp *[]bool
}

func runSchedule(t *testing.T, schedule []byte) {
	r := &run{t: t, schedule: schedule}
	r.model.replay = r.next(4) * r.next(50)
	caughtUp := make(map[string]*[]bool)
	r.topic = &bus.Topic[item]{
		Replay: r.model.replay,
		Logger: slog.New(slog.DiscardHandler),
		OnSlow: func(s bus.SlowEvent) { *caughtUp[s.Subscription] = append(*caughtUp[s.Subscription], s.CaughtUp) },
	}
	for len(r.schedule) > 0 {
		if r.step(caughtUp) {
			r.check()
		} else {
			r.rest()
		}
	}
	for _, s := range r.subs {
		s.Close()
		s.cancel()
		s.model.cut(bus.ErrClosed)
		r.check()
	}
	for i := range r.subs {
		for r.receive(i) {
		}
	}
	r.check()
}

// next takes a byte off the schedule and returns a number below n.
func (r *run) next(n int) int {
	if len(r.schedule) == 0 {
		return 0
	}
	b := r.schedule[0]
	r.schedule = r.schedule[1:]
	return int(b) % n
}

// step reports whether to check everything after it. Stats brings a
// subscription up to date, so some steps run without a check.
func (r *run) step(caughtUp map[string]*[]bool) (check bool) {
	op := r.next(256)
	check = op < 64
	op %= 16
	if op == 0 || len(r.subs) == 0 {
		r.subscribe(caughtUp)
		return check
	}
	i := r.next(len(r.subs))
	s := r.subs[i]
	switch op {
	case 1:
		s.Close()
		s.model.cut(bus.ErrClosed)
	case 2:
		s.cancel()
		if s.model.err == nil || len(s.model.queue) > s.model.buffered() {
			s.model.cut(context.Canceled)
		}
	case 3:
		if r.next(8) == 0 {
			r.topic.Close()
			r.model.close()
		}
	case 4:
		if r.cancel != nil {
			r.cancel()
			r.model.giveUp()
		}
	case 5, 6: // enough for a channel to overflow
		for range 40 * (1 + r.next(5)) {
			r.publish(r.next(256))
		}
	case 7, 8:
		for range 30 * (1 + r.next(5)) {
			r.receive(i)
			r.rest()
		}
	case 9, 10, 11:
		r.receive(i)
	default:
		r.publish(r.next(256))
	}
	return check
}

func (r *run) subscribe(caughtUp map[string]*[]bool) {
	if len(r.subs) == 6 {
		return
	}
	s := settings{
		policy:     bus.Policy(r.next(4)),
		limit:      limits[r.next(len(limits))],
		bytes:      []int{0, 0, 1, 10, 200}[r.next(5)],
		conflating: r.next(3) == 0,
		filtering:  r.next(3) == 0,
	}
	name := strconv.Itoa(len(r.subs))
	caughtUp[name] = new([]bool)
	ctx, cancel := context.WithCancel(r.t.Context())
	sub := r.topic.Subscribe(ctx, append(s.options(), bus.Name(name))...)
	r.subs = append(r.subs, runSub{sub, r.model.subscribe(s), cancel, caughtUp[name]})
}

// publish does nothing if a second publisher would block, or if one is blocked
// with a value of the same key: their order is not defined.
func (r *run) publish(b int) {
	v := item{n: r.number, key: b % 5, size: b / 5 % 8}
	if r.cancel != nil && (r.model.waiting.v.key == v.key || r.model.wouldWait(v)) {
		return
	}
	r.number++
	ctx, cancel := context.WithCancel(r.t.Context())
	result := make(chan error, 1)
	go func() { result <- r.topic.PublishContext(ctx, v) }() // ends when published, or with ctx
	synctest.Wait()
	if r.model.publish(v) {
		r.cancel, r.result = cancel, result
	} else {
		cancel()
		r.returned(result, nil)
	}
	r.rest()
}

func (r *run) returned(result <-chan error, want error) {
	select {
	case err := <-result:
		require.Equal(r.t, want, err)
	default:
		require.Fail(r.t, "the publisher is blocked")
	}
}

// receive receives from subscription i, and reports whether a value was
// pending.
func (r *run) receive(i int) (received bool) {
	s := r.subs[i]
	want, has := s.model.receive()
	select {
	case got, ok := <-s.C():
		require.Equal(r.t, has, ok, "closed too early, or a value too many")
		require.Equal(r.t, want, got)
		require.True(r.t, ok || s.model.err != nil, "closed while open")
	default:
		require.False(r.t, has, "nothing to receive")
		require.NoError(r.t, s.model.err, "should be closed")
	}
	return has
}

// rest waits until every goroutine is blocked, and continues the model's
// blocked publisher.
func (r *run) rest() {
	synctest.Wait()
	if r.cancel != nil && !r.model.settle() {
		r.cancel()
		r.returned(r.result, r.model.waiting.err)
		r.cancel, r.model.waiting = nil, nil
	}
	r.model.leave()
}

// check compares everything with the model.
func (r *run) check() {
	r.rest()
	var sum bus.TopicStats
	for _, s := range r.subs {
		want, got := s.model.stats(), s.Stats()
		require.Equal(r.t, want, got, "%+v", s.model.settings)
		require.Equal(r.t, s.model.err, s.Err())
		require.Equal(r.t, s.model.caughtUp, *s.caughtUp)
		if s.model.err == nil {
			sum.Subscriptions++
			if s.model.slow {
				sum.Slow++
			}
			sum.Total.Delivered += got.Delivered
			sum.Total.Dropped += got.Dropped
			sum.Total.Pending += got.Pending
			sum.Total.Bytes += got.Bytes
			sum.Total.HighWater = max(sum.Total.HighWater, got.HighWater)
		}
	}
	require.Equal(r.t, sum, r.topic.Stats())
	require.Equal(r.t, sum.Subscriptions > 0, r.topic.Active())
	synctest.Wait() // Stats has interrupted a pump's send
}
