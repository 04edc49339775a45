package chatnats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// GroupConfig is the configuration of a group of workers. All workers of a
// group must use the same one. Only Name has no default.
type GroupConfig struct {
	// Name identifies the group: letters, digits, - and _.
	Name string

	// FromStart selects where a worker starts in a request that it takes over
	// from another worker. If it is true, the worker receives the request from
	// its first event that the stream still has. If it is false, the worker
	// continues after the last acknowledged event. A request is open until its
	// AIMessage or AIError. Default: false.
	FromStart bool

	// Sequence and Time select where a new group starts; see SubscribeConfig.
	// They have no effect on an existing group. Default: from now.
	Sequence uint64
	Time     time.Time

	// TTL is how long a worker may be silent before another worker takes over
	// its requests: 4 seconds or more. An existing group keeps its TTL.
	// Default: DefaultTTL.
	TTL time.Duration

	// Parallel limits how many events this worker handles at a time. Two events
	// of one chat are never handled at the same time. Default: DefaultParallel.
	Parallel int

	// Timeout limits a call of the handler: its ctx ends then. If the handler
	// has not returned after twice that time, its event becomes a dead letter.
	// Default: DefaultTimeout.
	Timeout time.Duration

	// MaxAttempts is how many times the group handles an event before the event
	// becomes a dead letter. An attempt during which the worker is killed
	// counts, unless it is the first one. An attempt that ends because Work
	// ends does not count. Default: DefaultMaxAttempts.
	MaxAttempts int

	// Backoff is the delay before the second attempt. It doubles with each
	// further one, up to 30 seconds. Default: DefaultBackoff.
	Backoff time.Duration

	// DeadSubject is the prefix of the subjects of dead letters. The chat's
	// token and the event's key follow it. If a stream has the subject, an
	// event is acknowledged when its dead letter is stored. Default:
	// Config.Prefix, ".dead." and Name.
	DeadSubject string

	// OnDead is called for each dead letter. It runs in a goroutine of the
	// worker and delays the chat. Default: none; each is logged.
	OnDead func(dead DeadLetter)
}

// Defaults of [GroupConfig].
const (
	DefaultParallel    = 64
	DefaultTimeout     = 30 * time.Second
	DefaultMaxAttempts = 5
	DefaultBackoff     = time.Second

	maxBackoff = 30 * time.Second
)

func (c GroupConfig) withDefaults() (GroupConfig, error) {
	setDefault(&c.TTL, DefaultTTL)
	setDefault(&c.Parallel, DefaultParallel)
	setDefault(&c.Timeout, DefaultTimeout)
	setDefault(&c.MaxAttempts, DefaultMaxAttempts)
	setDefault(&c.Backoff, DefaultBackoff)
	switch {
	case !validPrefix.MatchString(c.Name):
		return c, fmt.Errorf("chatnats: GroupConfig.Name %q has more than letters, digits, - and _, or nothing", c.Name)
	case c.Sequence != 0 && !c.Time.IsZero():
		return c, errors.New("chatnats: GroupConfig has both a Sequence and a Time")
	case c.TTL < shortest:
		return c, fmt.Errorf("chatnats: GroupConfig.TTL is below %v", shortest)
	case c.Parallel < 0, c.Timeout < 0, c.MaxAttempts < 0, c.Backoff < 0:
		return c, errors.New("chatnats: a number in GroupConfig is negative")
	}
	return c, nil
}

// Work makes this process a worker of a group. The workers share the events of
// the stream by chat: all events of a chat go to one worker, one after the
// other in order. Work calls handle for each of them. It returns nil when ctx
// ends, and an error if the connection is closed, the stream or a consumer of
// the group was deleted, or its configuration differs. While NATS is
// unreachable, Work waits.
//
// If handle returns an error or panics, the event is handled again after a
// delay; see also [Nak] and [Term]. After the last attempt the event becomes a
// [DeadLetter], and the next one of the chat is handled. Other chats do not
// wait; [Nak] describes the exception. The bucket counts the attempts of all
// workers.
//
// An event is acknowledged after handle has returned nil, or when it is a dead
// letter. It is delivered at least once: an event that a worker did not
// acknowledge goes to the next worker, with Delivery.Redelivered. So do the
// later events of its partition, even if they were handled. Workers may start
// and stop at any time.
//
// Two workers do not handle a chat at the same time, with one exception. A
// worker whose process is stopped for longer than the TTL still finishes the
// events that it is handling. The ctx of handle is derived from that of Work.
func Work(ctx context.Context, b *Bus, cfg GroupConfig, handle func(ctx context.Context, d Delivery) error) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	w := &worker{bus: b, cfg: cfg, handle: handle, slots: make(chan struct{}, cfg.Parallel)}
	setDefault(&w.cfg.DeadSubject, b.prefix+".dead."+cfg.Name)
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

// A worker reads its share of the partitions.
type worker struct {
	bus    *Bus
	cfg    GroupConfig
	handle func(ctx context.Context, d Delivery) error
	slots  chan struct{} // has a value for each call of handle

	uncounted atomic.Bool // the last attempt could not be counted

	ctx     context.Context
	fail    context.CancelCauseFunc
	running sync.WaitGroup
}

// open creates the consumers of the group, one for each partition.
func (w *worker) open(ctx context.Context) error {
	if _, err := w.bus.bucket(ctx, true); err != nil { // of the heartbeats
		return err
	}
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

func groupConsumerOf(name string, partition int) string {
	return groupConsumer + name + "-" + strconv.Itoa(partition)
}

func (w *worker) consumer(n int) *pinnedConsumer {
	return &pinnedConsumer{
		bus: w.bus, name: groupConsumerOf(w.cfg.Name, n), filters: []string{w.bus.partition(n)}, acks: jetstream.AckExplicitPolicy, ttl: w.cfg.TTL,
		lease: lateness{bus: w.bus}, gaps: gaps{bus: w.bus, filtered: true},
	}
}

// start starts reading a partition. stop ends the reading after the events that
// are being handled, and does not wait for it.
func (w *worker) start(n int) (stop func()) {
	ctx, cancel := context.WithCancel(w.ctx)
	p := w.consumer(n)
	p.queues = newQueues(w)
	p.handle = p.queues.dispatch
	if w.cfg.FromStart {
		r := &replay{bus: w.bus, handle: p.queues.dispatch, limit: maxReplayed}
		p.handle, p.taken = r.deliver, r.begin
	}
	w.running.Go(func() { // ends with ctx
		if err := p.run(ctx); ctx.Err() == nil {
			w.fail(err)
		}
	})
	return cancel
}
