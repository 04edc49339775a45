package conn

import (
	"context"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/seed67206a74/parley/bus"
)

// A Conn is a connection to a namespace of a Socket.IO server. Run connects it,
// and reconnects it when it is lost. All methods are safe for concurrent use.
type Conn struct {
	// States publishes each change of state. A new subscription first receives
	// the current state. The policy bus.Block is refused, because a reader must
	// not delay the connection.
	States bus.Source[State]

	// Raw publishes the events of all names, with all their arguments.
	Raw bus.Source[Event]

	// DecodeErrors publishes the events whose payload does not fit the type of
	// a subscription or handler.
	DecodeErrors bus.Source[DecodeError]

	cfg    Config
	target target
	log    *slog.Logger
	routes routes

	states       bus.Topic[State]
	raw          bus.Topic[Event]
	decodeErrors bus.Topic[DecodeError]
	decodeLog    logLimit

	mu       sync.Mutex    // no other lock is taken while it is held
	changed  chan struct{} // closed and replaced whenever one of these changes
	state    State
	ready    *Session           // the session that is Ready; nil if none is
	entering *Session           // ready, from just before Ready is published; for TryEmit
	stop     context.CancelFunc // ends the active Run; nil if none is active
	stopped  chan struct{}      // closed when the active Run has returned
	closed   bool
	draining bool  // Shutdown was called: new work needs a ctx of work in progress
	working  int   // pieces of work that Shutdown waits for
	cause    error // why the last session or attempt ended; nil since the last Ready

	resume   resumption    // used by Run only
	dialURL  *url.URL      // target.url, or Config.Path without a slash; used by Run only
	epoch    uint64        // of the last session; used by Run only
	reading  chan struct{} // holds a value while a reader publishes
	counters counters

	observers observers
}

// New returns a connection that is not yet connected; [Conn.Run] connects it.
// The scheme of the URL is http, https, ws or wss, and its query is sent with
// each request. Its path is the namespace, as in "http://localhost:3000/admin";
// no path or "/" is the main namespace. New returns an error if the URL or the
// Config is invalid.
func New(rawURL string, cfg Config) (*Conn, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	target, err := parseTarget(rawURL, cfg)
	if err != nil {
		return nil, err
	}
	c := &Conn{
		cfg:     cfg,
		target:  target,
		dialURL: target.url,
		log:     cfg.Logger,
		changed: make(chan struct{}),
		reading: make(chan struct{}, 1),
	}
	c.observers = newObservers(cfg.Observers)
	c.states.OnSlow, c.raw.OnSlow, c.decodeErrors.OnSlow = c.onSlow(), c.onSlow(), c.onSlow()
	c.states.Name, c.states.Logger, c.states.Replay, c.states.NoBlock = "States", c.log, 1, true
	c.raw.Name, c.raw.Logger = "Raw", c.log
	c.decodeErrors.Name, c.decodeErrors.Logger = "DecodeErrors", c.log
	c.States, c.Raw, c.DecodeErrors = c.states.Source(), c.raw.Source(), c.decodeErrors.Source()
	return c, nil
}

// Ready waits until the connection is Ready: it is connected, and
// Config.OnConnect has returned. It also waits before the first Run, and
// between a Run whose ctx has ended and the next.
//
// Ready returns nil when the connection is Ready, [ErrClosed] after Close, the
// error of Run if Run has failed, and the error of ctx if that ends first.
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

// Close closes the connection permanently: Run writes the queued packets,
// disconnects and returns nil. Calls that wait for Ready fail with [ErrClosed],
// calls that wait for an acknowledgement with [ErrSessionLost]. Each
// subscription delivers its buffered values and then closes.
//
// Close waits until Run has returned, but at most two seconds if a function of
// Config blocks Run. It always returns nil, and may be called more than once.
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

// Shutdown waits for the work in progress, and then closes c as [Conn.Close]
// does. From its call on, Emit, TryEmit, Call, Do and Hold fail with
// [ErrClosed], and handlers are not called for further events.
//
// Work in progress continues, over a reconnect if necessary. It may begin more
// work with its own ctx: the ctx that a handler, the function of Do, or Hold
// received. Shutdown returns nil when all work has ended, and the error of ctx
// if that ends first.
func (c *Conn) Shutdown(ctx context.Context) error {
	for {
		c.mu.Lock()
		c.draining = true
		working, changed := c.working, c.changed
		if c.closed {
			working = 0 // Close has ended all work
		}
		c.mu.Unlock()
		if working == 0 {
			return c.Close()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			_ = c.Close() // always returns nil
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
