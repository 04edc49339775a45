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
	join   body // the join's event; no data for none
	routes routes

	states       bus.Topic[State]
	raw          bus.Topic[Event]
	decodeErrors bus.Topic[DecodeError]

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced whenever one of these changes
	state    State
	ready    *session           // the session that is Ready, if one is
	stop     context.CancelFunc // ends the Run that is on its way; nil when none is
	stopped  chan struct{}      // closed when that Run has returned
	closed   bool
	draining bool  // Shutdown is on its way: no new work
	working  int   // how many Emits, Calls and handlers are
	cause    error // why the last session or attempt ended; nil since the last Ready

	resume   resumption // Run's own
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
	join, err := cfg.Join.encode()
	if err != nil {
		return nil, err
	}
	c := &Conn{
		cfg:     cfg,
		target:  target,
		log:     cfg.Logger,
		changed: make(chan struct{}),
		join:    join,
	}
	c.states.Name, c.states.Logger, c.states.Replay = "States", c.log, 1
	c.raw.Name, c.raw.Logger = "Raw", c.log
	c.decodeErrors.Name, c.decodeErrors.Logger = "DecodeErrors", c.log
	c.States, c.Raw, c.DecodeErrors = c.states.Source(), c.raw.Source(), c.decodeErrors.Source()
	return c, nil
}

// Ready waits until the connection is Ready: connected and joined. It returns
// nil then, the error of Run when that has ended for good, [ErrClosed] after
// Close, and the ctx's error when ctx ends first. Before the first Run, and
// after one that its ctx ended, it waits for the next.
func (c *Conn) Ready(ctx context.Context) error {
	_, err := c.awaitReady(ctx)
	return err
}

func (c *Conn) awaitReady(ctx context.Context) (*session, error) {
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

// Shutdown lets what is on its way finish, and then closes: from now on Emit,
// TryEmit and Call fail with [ErrClosed] and handlers begin nothing new, while
// the Emits, Calls and handlers that have begun go on, over a reconnect if need
// be. When the last has ended, or ctx has, Shutdown closes c as Close does. It
// returns nil when all could finish, and the ctx's error otherwise.
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

// Begin counts a piece of work that Shutdown is to wait for, until done is
// called; after Close or Shutdown it fails with [ErrClosed]. Emits, Calls and
// handlers are counted anyway.
func (c *Conn) Begin() (done func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.draining {
		return nil, ErrClosed
	}
	c.working++
	return c.done, nil
}

func (c *Conn) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.working--; c.working == 0 && c.draining {
		c.wake()
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
