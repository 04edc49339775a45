package chat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/socketio"
	"github.com/seed67206a74/parley/reconnect"
)

// A Client is the connection of one user or service to a chat. Its topics carry
// the events of the backend; its methods send events. All methods are safe for
// concurrent use. [Client.Run] connects it. The functions [On] and [HandleTool]
// add events and tools of your own.
//
// A subscription lasts until its ctx ends or the Client is closed, over any
// number of sessions and Runs. Subscribing before Run misses nothing.
type Client struct {
	// One topic for each kind of event.
	Processing   bus.Source[events.AIProcessing]
	Tokens       bus.Source[events.AIToken]
	Messages     bus.Source[events.AIMessage]
	Errors       bus.Source[events.AIError]
	ToolCalls    bus.Source[events.AIToolCall]
	ToolResults  bus.Source[events.AIToolResult]
	ChatMessages bus.Source[events.ChatMessage]
	Presence     bus.Source[events.Presence]

	// Events carries the events of all the topics above in wire order. Two
	// channels in one select have no order between them.
	Events bus.Source[events.Event]

	// ServerErrors carries the server's own error event.
	ServerErrors bus.Source[ServerError]

	// DecodeErrors carries the events whose payload has the wrong type or lacks
	// a required field. Of the other topics, only Raw carries them.
	DecodeErrors bus.Source[conn.DecodeError]

	// States carries the connection's current state first, then each change.
	States bus.Source[conn.State]

	// Names carries all current event names by key first, then again after each
	// change by SetNames or Discovery.
	Names bus.Source[map[events.Key]string]

	// Raw carries every event of any name, undecoded.
	Raw bus.Source[conn.Event]

	cfg        Config
	conn       *conn.Conn
	base       base // the first fields of every payload
	names      nameTable
	events     bus.Topic[events.Event]
	streams    streams
	tools      *toolbox
	rooms      *rooms
	deliveries deliveries
	discovery  discovery
	observers  observers
	closed     atomic.Bool // Close or Shutdown has returned
	running    atomic.Bool // a Run is in progress
}

// New returns a client for the chat backend at url. The scheme is http, https,
// ws or wss, and the path is the namespace. New does not connect; Run does. It
// returns an error for an invalid URL or Config.
func New(url string, cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	log := cfg.Conn.Logger
	if log == nil {
		log = slog.Default()
	}
	c := &Client{cfg: cfg}
	cfg.Conn.OnConnect = c.connected // calls that of c.cfg
	ofConn, err := splitObservers(cfg.Observers)
	if err != nil {
		return nil, err
	}
	cfg.Conn.Observers = slices.Concat(cfg.Conn.Observers, ofConn)
	c.observers = newObservers(c, cfg.Observers, cfg.Conn.Observers, log)
	if c.conn, err = conn.New(url, cfg.Conn); err != nil {
		return nil, err
	}
	if c.base, err = newBase(cfg.ChatID, cfg.Meta); err != nil {
		return nil, err
	}
	if _, err := new(socketio.Encoder).Append(nil, c.base.with(cfg.JoinPayload)); err != nil {
		return nil, fmt.Errorf("chat: Config.JoinPayload: %w", err)
	}
	c.streams = streams{cfg: cfg.Stream, conn: streamBackend{c.conn, c}, byRequest: map[string]*Stream{}, observers: &c.observers}
	c.tools = newToolbox(cfg.Tools, log, c.conn.Hold, func(ctx context.Context, result any) error {
		return c.send(ctx, c.resultEvent, result, nil)
	})
	c.tools.observers = &c.observers
	c.rooms = newRooms(cfg, c.conn, c.names.named(events.KeyJoin), c.base)
	c.deliveries = deliveries{
		cfg: cfg.Delivery, conn: c.conn, writing: c.streams.writing,
		payload: func(own any) any { return c.base.with(own) }, sem: make(chan struct{}, 1),
		observers: &c.observers,
	}
	c.discovery = discovery{
		cfg: cfg.Discovery, log: log, request: c.base.with(nil),
		learn: func(ctx context.Context, discovered map[events.Key]string, pushed bool) error {
			return c.names.update(ctx, func(s *nameSources) {
				if !pushed {
					s.discovered = nil
				}
				s.discovered = merge(s.discovered, discovered)
			})
		},
	}
	if cfg.Discovery.Enabled || cfg.Discovery.AcceptPushed {
		c.conn.UpdateRoutes(nil, []conn.Route{{Name: cfg.Discovery.ResponseEvent, Listener: &c.discovery}})
	}
	c.events.Name, c.events.Logger, c.events.OnSlow = "Events", cfg.Conn.Logger, c.observers.onSlow()
	c.Events = c.events.Source()
	c.ServerErrors = conn.On[ServerError](c.conn, cfg.ServerErrorEvent)
	c.DecodeErrors, c.States, c.Raw = c.conn.DecodeErrors, c.conn.States, c.conn.Raw
	c.names.topic.Name, c.names.topic.Logger, c.names.topic.Replay = "Names", cfg.Conn.Logger, 1
	c.names.topic.OnSlow = c.observers.onSlow()
	c.Names = c.names.topic.Source()
	c.names.nameFunc, c.names.reroute = cfg.NameFunc, c.listen()
	if err := c.names.update(context.Background(), func(s *nameSources) { s.config = cfg.Names }); err != nil {
		return nil, err
	}
	c.observers.onNew()
	return c, nil
}

// listen creates a listener and a topic for each kind of event. It returns a
// func that moves the listeners from one set of names to another.
func (c *Client) listen() (reroute func(from, to names)) {
	listeners := map[events.Key]conn.Listener{events.KeyAIAbort: &abortListener{&c.streams, c.tools, &c.names.topic}}
	c.Processing = listenTo[events.AIProcessing](c, listeners, events.KeyAIProcessing)
	c.Tokens = listenTo[events.AIToken](c, listeners, events.KeyAIToken)
	c.Messages = listenTo[events.AIMessage](c, listeners, events.KeyAIMessage)
	c.Errors = listenTo[events.AIError](c, listeners, events.KeyAIError)
	c.ToolCalls = listenTo[events.AIToolCall](c, listeners, events.KeyAIToolCall)
	c.ToolResults = listenTo[events.AIToolResult](c, listeners, events.KeyAIToolResult)
	c.ChatMessages = listenTo[events.ChatMessage](c, listeners, events.KeyChatMessage)
	c.Presence = listenTo[events.Presence](c, listeners, events.KeyPresenceUpdate)
	return func(from, to names) {
		var remove, add []conn.Route
		for key, l := range listeners {
			if from[key] == to[key] {
				continue
			}
			if from != nil {
				remove = append(remove, conn.Route{Name: from[key], Listener: l})
			}
			add = append(add, conn.Route{Name: to[key], Listener: l})
		}
		c.conn.UpdateRoutes(remove, add)
	}
}

// streamBackend is the streamConn of a client.
type streamBackend struct {
	*conn.Conn
	client *Client
}

func (b streamBackend) ask(ctx context.Context, s *Stream) error {
	return b.client.ask(ctx, s.question, s)
}

func (b streamBackend) cancelTools(a events.Abort) { b.client.tools.abort(a) }

func (b streamBackend) sendAbort(a events.Abort) {
	s := b.Session()
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), abortTimeout)
	defer cancel()
	// The stream ends even if this fails.
	_ = s.Emit(ctx, b.client.names.name(events.KeyAIAbort), b.client.base.with(a))
}

// resultEvent returns the name of the event that carries a tool's result.
func (c *Client) resultEvent() string {
	return cmp.Or(c.cfg.Tools.ResultEvent, c.names.name(events.KeyAIToolResult))
}

// On returns a source of the backend's events with the given name, decoded into
// T; see [conn.On].
func On[T any](c *Client, name string) bus.Source[T] { return conn.On[T](c.conn, name) }

// Conn returns the connection of the client. Only the client may run or close
// it.
func (c *Client) Conn() *conn.Conn { return c.conn }

// State returns the connection's current state.
func (c *Client) State() conn.State { return c.conn.State() }

// Ready waits until the client is connected and has joined its rooms. It
// returns an error when ctx ends, Run has returned an error, or the client is
// closed; see [conn.Conn.Ready].
func (c *Client) Ready(ctx context.Context) error { return c.conn.Ready(ctx) }

// Run connects, and reconnects when a session is lost. It returns nil after ctx
// has ended or Close was called, and an error after a failure that a reconnect
// cannot repair; see [conn.Conn.Run].
//
// When ctx ends, Run aborts the open streams, within a second. When Run
// returns, all open streams end with [ErrStopped], or with the error of their
// own ctx.
func (c *Client) Run(ctx context.Context) error {
	if !c.running.CompareAndSwap(false, true) {
		if errors.Is(c.conn.Health(), conn.ErrClosed) {
			return conn.ErrClosed // the other Run is about to return
		}
		return conn.ErrRunning
	}
	defer c.running.Store(false)

	// When ctx ends, abort the open streams before the connection ends.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		c.streams.giveUp(ErrStopped)
		stop()
	})()
	// Deferred, so that a panic of a function of Config leaves no stream open.
	defer func() { c.streams.runEnded(c.conn.State().Err) }()
	return c.conn.Run(running)
}

// connected calls Config.Conn.OnConnect, then runs discovery, then joins the
// rooms.
func (c *Client) connected(ctx context.Context, s *conn.Session) error {
	c.streams.connected(ctx, s.Epoch())
	if c.cfg.Conn.OnConnect != nil {
		if err := c.cfg.Conn.OnConnect(ctx, s); err != nil {
			return err
		}
	}
	if c.cfg.Discovery.Enabled {
		c.discovery.discover(ctx, s)
	}
	err := c.rooms.enter(ctx, s)
	var refused *JoinError
	if errors.As(err, &refused) && !errors.Is(err, context.DeadlineExceeded) &&
		(c.cfg.Conn.Retry == nil || !c.cfg.Conn.Retry(err)) {
		return reconnect.Permanent(err)
	}
	return err
}

// Shutdown closes the client after the work in progress has ended. Methods that
// send fail with [conn.ErrClosed] from now on. Deliveries, and open streams
// with their tool calls, continue, if necessary over a reconnect. After the
// last of them has ended, Shutdown closes the client as Close does and returns
// nil. If ctx ends first, Shutdown aborts the open streams, which end with
// [ErrStopped], closes the client and returns ctx's error. See
// [conn.Conn.Shutdown].
func (c *Client) Shutdown(ctx context.Context) error {
	draining, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	inTime := context.AfterFunc(ctx, func() {
		c.streams.giveUp(ErrStopped) // while there is a connection for the aborts
		stop()
	})
	_ = c.conn.Shutdown(draining)
	c.observeClose()
	if inTime() {
		return nil
	}
	return ctx.Err()
}

// Close aborts the open streams, which end with [ErrStopped], and closes the
// connection permanently; see [conn.Conn.Close]. It always returns nil.
func (c *Client) Close() error {
	c.streams.giveUp(ErrStopped)
	defer c.observeClose()
	return c.conn.Close()
}

// observeClose reports the first close of the client.
func (c *Client) observeClose() {
	if c.closed.CompareAndSwap(false, true) {
		c.observers.onClose()
	}
}

// Stats holds the counters of a client. Counters of ended work start at New and
// only grow.
type Stats struct {
	Conn conn.Stats

	// Topics has the statistics of each topic's open subscriptions, by the name
	// of the Client's field.
	Topics map[string]bus.TopicStats

	Answered uint64 // streams that ended with the final message
	Failed   uint64 // streams that ended with an error, and questions that could not be sent
	Open     int    // open streams

	Delivering int // calls of Deliver that have not returned
	Tools      int // tool calls that run or wait
}

// Stats returns the current counters. It is cheap enough for each scrape of a
// monitoring system. [Stream.Progress] reports on one answer.
func (c *Client) Stats() Stats {
	return Stats{
		Conn: c.conn.Stats(),
		Topics: map[string]bus.TopicStats{
			"Processing": c.Processing.Stats(), "Tokens": c.Tokens.Stats(), "Messages": c.Messages.Stats(),
			"Errors": c.Errors.Stats(), "ToolCalls": c.ToolCalls.Stats(), "ToolResults": c.ToolResults.Stats(),
			"ChatMessages": c.ChatMessages.Stats(), "Presence": c.Presence.Stats(), "Events": c.Events.Stats(),
			"ServerErrors": c.ServerErrors.Stats(), "DecodeErrors": c.DecodeErrors.Stats(),
			"States": c.States.Stats(), "Names": c.Names.Stats(), "Raw": c.Raw.Stats(),
		},
		Answered:   c.streams.answered.Load(),
		Failed:     c.streams.failed.Load(),
		Open:       int(c.streams.count.Load()),
		Delivering: int(c.deliveries.count.Load()),
		Tools:      c.tools.active(),
	}
}

// Health returns nil while the client is Ready, and otherwise an error with the
// phase and its reason; see [conn.Conn.Health].
func (c *Client) Health() error { return c.conn.Health() }

// String returns the host, namespace and phase of the client's connection. No
// format prints a secret of a Client.
func (c *Client) String() string { return c.conn.String() }

// GoString returns String, for %#v.
func (c *Client) GoString() string { return c.String() }

// LogValue returns String, for slog.
func (c *Client) LogValue() slog.Value { return c.conn.LogValue() }
