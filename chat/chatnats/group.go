package chatnats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// GroupConfig is the configuration of a group of workers. All of them use the
// same one. Only Name has no default.
type GroupConfig struct {
	// Name is what the group is known by: letters, digits, - and _.
	Name string

	// FromStart says which events a worker gets of a request that another one
	// had before it: true for all its events from the first one on, as far as the stream
	// still has them; false for those from the last acknowledged one on.
	// Default: false.
	FromStart bool

	// Sequence and Time are where a new group begins; see SubscribeConfig. A
	// group that is known goes on where it is. Default: from now.
	Sequence uint64
	Time     time.Time

	// TTL is how long a worker may be silent before its requests go to another
	// one: 4 seconds or more. Of a group that is known, it stays what it was.
	// Default: DefaultTTL.
	TTL time.Duration

	// Parallel is how many events this worker handles at the same time, at
	// most; never two of one request. Default: 0, one for each partition it has.
	Parallel int
}

func (c GroupConfig) withDefaults() (GroupConfig, error) {
	setDefault(&c.TTL, DefaultTTL)
	switch {
	case !validPrefix.MatchString(c.Name):
		return c, fmt.Errorf("chatnats: GroupConfig.Name %q has more than letters, digits, - and _, or nothing", c.Name)
	case c.Sequence != 0 && !c.Time.IsZero():
		return c, errors.New("chatnats: GroupConfig has both a Sequence and a Time")
	case c.TTL < shortest:
		return c, fmt.Errorf("chatnats: GroupConfig.TTL is below %v", shortest)
	case c.Parallel < 0:
		return c, errors.New("chatnats: GroupConfig.Parallel is negative")
	}
	return c, nil
}

// Work makes this process a worker of a group: the events of the stream are
// shared among the workers by chat, so that all events of a request, and of its
// chat, go to one worker, one after the other in order. It calls handle for each of
// them, and returns when ctx has ended (nil), when handle has returned an
// error (that one), or when the stream or a consumer of the group is gone.
//
// An event is acknowledged when handle has returned nil. It is delivered at
// least once: an event that a worker has not acknowledged when it stops or dies
// goes to the next worker, with Delivery.Redelivered. Workers may come and go at any time;
// a chat that moves to another worker is not handled by two at once, except for the
// one event that a worker has in hand while its process is stopped for longer than
// the TTL. The ctx of handle ends with Work's.
func Work(ctx context.Context, b *Bus, cfg GroupConfig, handle func(ctx context.Context, d Delivery) error) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	w := &worker{bus: b, cfg: cfg, handle: handle}
	if cfg.Parallel > 0 {
		w.slots = make(chan struct{}, cfg.Parallel)
	}
	if err := b.persist(ctx, "group "+cfg.Name, w.open); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	w.ctx, w.fail = context.WithCancelCause(ctx)
	defer w.fail(nil)
	beats := b.join("workers." + cfg.Name)
	assigned := map[int]func(){}
	err = beats.watch(w.ctx, cfg.TTL, func(workers []string) {
		mine := share(workers, beats.id, b.partitions)
		for n, stop := range assigned {
			if !mine[n] {
				stop()
				delete(assigned, n)
			}
		}
		for n := range mine {
			if assigned[n] == nil {
				assigned[n] = w.start(n)
			}
		}
	})
	for _, stop := range assigned {
		stop()
	}
	w.running.Wait()
	beats.leave()
	if ctx.Err() != nil {
		return nil
	}
	return errors.Join(context.Cause(w.ctx), err)
}

// A worker reads the partitions that are its share.
type worker struct {
	bus     *Bus
	cfg     GroupConfig
	handle  func(ctx context.Context, d Delivery) error
	slots   chan struct{} // holds a value for each call of handle; nil without a limit
	ctx     context.Context
	fail    context.CancelCauseFunc
	running sync.WaitGroup
}

// open makes the consumers of the group: one for each partition.
func (w *worker) open(ctx context.Context) error {
	from := start{sequence: w.cfg.Sequence, time: w.cfg.Time}
	if from.sequence == 0 && from.time.IsZero() {
		last, err := w.bus.lastSequence(ctx)
		if err != nil {
			return err
		}
		from.sequence = last + 1
	}
	for n := range w.bus.partitions {
		if err := w.bus.openConsumer(ctx, w.consumer(n), from); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) consumer(n int) *pinnedConsumer {
	return &pinnedConsumer{
		bus: w.bus, name: "group-" + w.cfg.Name + "-" + strconv.Itoa(n), filters: []string{w.bus.partition(n)}, ttl: w.cfg.TTL,
		lease: lateness{bus: w.bus},
	}
}

// start begins to read a partition. The returned func ends that, after the
// event that is being handled, and does not wait for it.
func (w *worker) start(n int) (stop func()) {
	ctx, cancel := context.WithCancel(w.ctx)
	p := w.consumer(n)
	handle := w.limited
	if w.cfg.FromStart {
		r := &replay{bus: w.bus, handle: w.limited}
		handle, p.taken = r.deliver, r.begin
	}
	// Not the consumer's own ctx: an event that is being handled when the
	// partition moves is finished.
	p.handle = func(_ context.Context, d Delivery) error { return handle(w.ctx, d) }
	w.running.Go(func() { // ends with ctx
		if err := p.run(ctx); ctx.Err() == nil {
			w.fail(err)
		}
	})
	return cancel
}

func (w *worker) limited(ctx context.Context, d Delivery) error {
	if w.slots != nil {
		select {
		case w.slots <- struct{}{}:
			defer func() { <-w.slots }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := w.handle(ctx, d); err != nil {
		return handlingError{err}
	}
	return nil
}
