package conn

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/seed67206a74/parley/bus"
)

// A Conn is a connection to a namespace of a Socket.IO server, kept up by Run
// for as long as that runs. All its methods are safe for concurrent use.
type Conn struct {
	// States publishes every change of state; a new subscription gets the
	// current one first.
	States bus.Source[State]

	// Raw publishes every event, whatever its name, with all its arguments.
	Raw bus.Source[Event]

	// DecodeErrors publishes the events whose payload did not fit the type of a
	// subscription or handler.
	DecodeErrors bus.Source[DecodeError]

	cfg    Config
	target target
	log    *slog.Logger
	routes routes

	states       bus.Topic[State]
	raw          bus.Topic[Event]
	decodeErrors bus.Topic[DecodeError]

	mu       sync.Mutex    // no other lock is taken while it is held
	changed  chan struct{} // closed and replaced whenever one of these changes
	state    State
	ready    *Session           // the session that is Ready; nil if none is
	stop     context.CancelFunc // ends the Run that is on its way; nil when none is
	stopped  chan struct{}      // closed when that Run has returned
	closed   bool
	draining bool  // Shutdown has begun: only work that is part of other work may begin
	working  int   // pieces of work that Shutdown waits for
	cause    error // why the last session or attempt ended; nil since the last Ready

	resume   resumption // used by Run only
	epoch    uint64     // of the last session; used by Run only
	counters counters
}

// New makes a connection to a Socket.IO server; it does not connect, which is
// Run's task. The scheme of the URL is http, https, ws or wss, its path is the
// namespace ("http://localhost:3000/admin"; none or "/" is the main one), and
// its query goes out with every request. An error says what cannot be used in
// the URL or the Config.
func New(url string, cfg Config) (*Conn, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	target, err := parseTarget(url, cfg)
	if err != nil {
		return nil, err
	}
	c := &Conn{
		cfg:     cfg,
		target:  target,
		log:     cfg.Logger,
		changed: make(chan struct{}),
	}
	c.states.Name, c.states.Logger, c.states.Replay = "States", c.log, 1
	c.raw.Name, c.raw.Logger = "Raw", c.log
	c.decodeErrors.Name, c.decodeErrors.Logger = "DecodeErrors", c.log
	c.States, c.Raw, c.DecodeErrors = c.states.Source(), c.raw.Source(), c.decodeErrors.Source()
	return c, nil
}

// Ready waits until the connection is Ready: connected, and Config.OnConnect has
// returned. It returns nil then, the error of Run when that has ended for good, [ErrClosed] after
// Close, and the ctx's error when ctx ends first. Before the first Run, and
// after one that its ctx ended, it waits for the next.
func (c *Conn) Ready(ctx context.Context) error {
	_, err := c.awaitReady(ctx)
	return err
}

func (c *Conn) awaitReady(ctx context.Context) (*Session, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c.mu.Lock()
		s, state, closed, changed := c.ready, c.state, c.closed, c.changed
		running := c.stop != nil
		c.mu.Unlock()

		switch {
		case closed:
			return nil, ErrClosed
		case s != nil:
			return s, nil
		case !running && state.Phase == Stopped && state.Err != nil:
			return nil, state.Err
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// Close ends the connection for good: Run writes the queued packets,
// disconnects and returns nil. Calls that wait for Ready fail with [ErrClosed],
// calls that wait for an acknowledgement with [ErrSessionLost]. Every
// subscription closes after its buffered values. Close returns when Run has, or
// after two seconds if a function of Config holds Run up. It always returns
// nil, and may be called more than once, from any goroutine.
func (c *Conn) Close() error {
	c.mu.Lock()
	c.closed = true
	stop, stopped := c.stop, c.stopped
	c.wake()
	c.mu.Unlock()

	if stop == nil {
		c.closeTopics()
		return nil
	}
	stop()
	timer := time.NewTimer(2 * closeTimeout)
	defer timer.Stop()
	select {
	case <-stopped:
	case <-timer.C:
	}
	return nil
}

// Shutdown waits for the work that has begun, and then closes c as Close does.
// Emit, TryEmit, Call, Do and Hold fail with [ErrClosed] from now on, and
// handlers start no more calls. Work that has begun goes on, over a reconnect if
// need be, and may begin what it needs: with a ctx that belongs to it, which is
// the one that a handler, Do's fn or Hold gives. Shutdown returns nil when all
// work has ended, and ctx's error when that ends first.
func (c *Conn) Shutdown(ctx context.Context) error {
	for {
		c.mu.Lock()
		c.draining = true
		working, changed := c.working, c.changed
		if c.closed {
			working = 0 // nothing goes on after Close
		}
		c.mu.Unlock()
		if working == 0 {
			return c.Close()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			_ = c.Close() // which always returns nil
			return ctx.Err()
		}
	}
}

// wake wakes all goroutines that wait for a change. c.mu is held.
func (c *Conn) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Conn) closeTopics() {
	c.routes.close()
	c.raw.Close()
	c.decodeErrors.Close()
	c.states.Close()
}
