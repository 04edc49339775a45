package chat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// A Client is one user's or one service's connection to a chat. Its topics carry
// the events of the backend, its methods send events. All methods are safe for
// concurrent use.
//
// Subscriptions live until their ctx ends or the Client is closed, over any
// number of sessions and Runs; subscribing before Run loses nothing.
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

	// Events carries all of those, in the order of the wire. Two channels in
	// one select are in no order between them; in Events they are.
	Events bus.Source[events.Event]

	// ServerErrors carries the server's own error event.
	ServerErrors bus.Source[ServerError]

	// DecodeErrors carries the events whose payload was not of its type or
	// lacked a field; they reach no other topic but Raw.
	DecodeErrors bus.Source[conn.DecodeError]

	// States carries every change of the connection's state, the current one
	// first.
	States bus.Source[conn.State]

	// Raw carries every event, whatever its name, as it came.
	Raw bus.Source[conn.Event]

	cfg       Config
	conn      *conn.Conn
	log       *slog.Logger
	base      members // what every payload starts with
	listeners map[events.Key]conn.Listener
	events    bus.Topic[events.Event]
	streams   streams
	tools     *toolbox

	deliverySem chan struct{} // holds a value while a message is being delivered
	delivering  atomic.Int64  // messages that are being delivered, or wait

	roomsSem  chan struct{} // holds a value while rooms are being joined or left
	discovery discovery

	mu       sync.Mutex
	sources  sources
	names    names           // what the sources come to
	rooms    []room          // joined after each connect, in this order
	joinings []*joining      // further ones, on their way
	session  session         // the one that was entered last
	runCtx   context.Context // ends with the current Run, its cause why; nil without one
}

// New makes a client for the chat backend at url: scheme http, https, ws or
// wss, with the namespace for its path. It does not connect; that is Run's
// task. An error says what in the URL or the Config cannot be used.
func New(url string, cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg: cfg, log: cfg.Conn.Logger, listeners: map[events.Key]conn.Listener{},
		deliverySem: make(chan struct{}, 1), roomsSem: make(chan struct{}, 1),
	}
	if c.log == nil {
		c.log = slog.Default()
	}
	cfg.Conn.OnConnect = c.enter // which calls that of c.cfg
	if c.conn, err = conn.New(url, cfg.Conn); err != nil {
		return nil, err
	}
	if c.base, err = newBase(cfg.ChatID, cfg.Meta); err != nil {
		return nil, err
	}
	if _, err := jsonv2.Marshal(c.base.with(cfg.JoinPayload)); err != nil {
		return nil, fmt.Errorf("chat: Config.JoinPayload: %w", err)
	}
	if !cfg.NoJoin {
		c.rooms = []room{{chatID: cfg.ChatID}}
	}
	c.tools = newToolbox(c)
	c.discovery.client = c
	if cfg.Discovery.Enabled {
		c.conn.UpdateRoutes(nil, []conn.Route{{Name: cfg.Discovery.ResponseEvent, Listener: &c.discovery}})
	}

	c.Processing = newEventListener[events.AIProcessing](c, events.KeyAIProcessing)
	c.Tokens = newEventListener[events.AIToken](c, events.KeyAIToken)
	c.Messages = newEventListener[events.AIMessage](c, events.KeyAIMessage)
	c.Errors = newEventListener[events.AIError](c, events.KeyAIError)
	c.ToolCalls = newEventListener[events.AIToolCall](c, events.KeyAIToolCall)
	c.ToolResults = newEventListener[events.AIToolResult](c, events.KeyAIToolResult)
	c.ChatMessages = newEventListener[events.ChatMessage](c, events.KeyChatMessage)
	c.Presence = newEventListener[events.Presence](c, events.KeyPresenceUpdate)
	c.listeners[events.KeyAIAbort] = &abortListener{c}
	c.events.Name, c.events.Logger = "Events", cfg.Conn.Logger
	c.Events = c.events.Source()
	c.ServerErrors = conn.On[ServerError](c.conn, cfg.ServerErrorEvent)
	c.DecodeErrors, c.States, c.Raw = c.conn.DecodeErrors, c.conn.States, c.conn.Raw

	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.rename(sources{config: cfg.Names, last: cfg.NameFunc}); err != nil {
		return nil, err
	}
	return c, nil
}

// On returns the source of any event of the backend, its payload decoded
// into T; see [conn.On].
func On[T any](c *Client, name string) bus.Source[T] { return conn.On[T](c.conn, name) }

// Conn returns the connection beneath the client. It is the client's to run
// and to close.
func (c *Client) Conn() *conn.Conn { return c.conn }

// State returns the connection's current state.
func (c *Client) State() conn.State { return c.conn.State() }

// Ready waits until the client is connected and has joined its room; see
// [conn.Conn.Ready].
func (c *Client) Ready(ctx context.Context) error { return c.conn.Ready(ctx) }

// Run connects and keeps the connection up until ctx ends or Close is called,
// and then returns nil; or until the connection has ended for good, and then
// returns why. See [conn.Conn.Run]. Answers still in flight when ctx ends are
// aborted, within a second; whatever makes Run return, they end with
// [ErrStopped] if not with their own ctx.
func (c *Client) Run(ctx context.Context) error {
	runCtx, end := context.WithCancelCause(context.Background())
	c.mu.Lock()
	if c.runCtx != nil {
		c.mu.Unlock()
		end(nil)
		if errors.Is(c.conn.Health(), conn.ErrClosed) {
			return conn.ErrClosed // the other one is about to return
		}
		return conn.ErrRunning
	}
	c.runCtx = runCtx
	c.mu.Unlock()

	// When ctx ends, the answers in flight are aborted before the connection is.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		c.streams.giveUp()
		stop()
	})()
	err := c.conn.Run(running)

	c.mu.Lock()
	c.runCtx = nil
	c.mu.Unlock()
	end(stopped(err))
	return err
}

// currentRun returns a context that ends with the current Run. Its cause is the
// error that streams then end with. Without a Run it has ended.
func (c *Client) currentRun() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runCtx != nil {
		return c.runCtx
	}
	ended, end := context.WithCancelCause(context.Background())
	end(ErrStopped)
	return ended
}

// Shutdown closes the client after the work in progress has ended. From now on
// methods that send fail with [conn.ErrClosed]. Open streams with their tool
// calls, and deliveries, continue, over a reconnect if need be. After the last
// has ended, Shutdown closes the client as Close does and returns nil. If ctx
// ends first, Shutdown aborts the open streams, which end with [ErrStopped],
// closes the client and returns ctx's error. See [conn.Conn.Shutdown].
func (c *Client) Shutdown(ctx context.Context) error {
	draining, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	inTime := context.AfterFunc(ctx, func() {
		c.streams.giveUp() // while there is a connection for the aborts
		stop()
	})
	_ = c.conn.Shutdown(draining)
	if inTime() {
		return nil
	}
	return ctx.Err()
}

// Close ends the client for good: it aborts the answers in flight, which end
// with [ErrStopped], and closes the connection; see [conn.Conn.Close]. It
// always returns nil.
func (c *Client) Close() error {
	c.streams.giveUp()
	return c.conn.Close()
}

// Stats holds the counters of a client. Those of what has ended count since New
// and only grow.
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

// Stats returns the current counters. It is cheap enough to be called with each
// scrape of a monitoring system. [Stream.Progress] reports on one answer.
func (c *Client) Stats() Stats {
	return Stats{
		Conn: c.conn.Stats(),
		Topics: map[string]bus.TopicStats{
			"Processing": c.Processing.Stats(), "Tokens": c.Tokens.Stats(), "Messages": c.Messages.Stats(),
			"Errors": c.Errors.Stats(), "ToolCalls": c.ToolCalls.Stats(), "ToolResults": c.ToolResults.Stats(),
			"ChatMessages": c.ChatMessages.Stats(), "Presence": c.Presence.Stats(), "Events": c.Events.Stats(),
			"ServerErrors": c.ServerErrors.Stats(), "DecodeErrors": c.DecodeErrors.Stats(),
			"States": c.States.Stats(), "Raw": c.Raw.Stats(),
		},
		Answered:   c.streams.answered.Load(),
		Failed:     c.streams.failed.Load(),
		Open:       int(c.streams.count.Load()),
		Delivering: int(c.delivering.Load()),
		Tools:      c.tools.active(),
	}
}

// Health returns nil while the client is Ready, and otherwise an error with the
// phase and its reason; see [conn.Conn.Health].
func (c *Client) Health() error { return c.conn.Health() }

// String returns the host, namespace and phase of the client's connection. No
// format prints a secret of a Client.
func (c *Client) String() string { return c.conn.String() }

// GoString is String, for %#v.
func (c *Client) GoString() string { return c.String() }

// LogValue is String, for slog.
func (c *Client) LogValue() slog.Value { return c.conn.LogValue() }
