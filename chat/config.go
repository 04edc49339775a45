package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// Defaults of [Config].
const (
	DefaultServerErrorEvent = "error"
	DefaultLeaveEvent       = "chat:leave"
)

// A Config configures a client for a chat and its backend. ChatID, JoinPayload
// or NoJoin must be set; all other fields have a default.
type Config struct {
	// ChatID is the room. It is joined after each connect, and is part of every
	// payload that is sent. It is made by [events.StringID] or [events.IntID],
	// because backends have ids of both types. Default: none.
	ChatID events.ID

	// NoJoin disables the join, for backends without rooms. Default: false.
	NoJoin bool

	// JoinPayload has the event's own fields for the join of every room. They
	// follow chatId and Meta, as in any event. Default: nil.
	JoinPayload any

	// JoinTimeout is how long to wait for the acknowledgement of a join.
	// Default: 0, a join needs no acknowledgement.
	JoinTimeout time.Duration

	// JoinReply checks the acknowledgement of a join. reply is the JSON of the
	// first argument, or nil if there is none. An error means that the server
	// refused the join. JoinReply runs under no lock. After a connect it runs
	// before the client is Ready, so it must not call methods that wait for
	// Ready. It may call Join and Leave, which then use the session that is
	// being joined. Default: a refusal is an object with an error (not null,
	// false, 0 or empty), or with ok or success that is false, 0, "no" or
	// "false".
	JoinReply func(chatID events.ID, reply json.RawMessage) error

	// LeaveEvent is the event that leaves a room. Default: DefaultLeaveEvent.
	LeaveEvent string

	// Meta is merged into every payload that is sent: chatId first, then Meta,
	// then the event's own fields. A later field replaces an earlier one of the
	// same name. So a chatId of Meta replaces ChatID, also in the join of
	// ChatID; the join of another room has the chatId of that room. A []byte is
	// sent as an attachment. Default: nil.
	Meta map[string]any

	// Names replaces the names of events that are sent or received. Default:
	// the names of the contract, events.Key.DefaultName. Two events that are
	// sent cannot have the same name, and neither can two that are received.
	// A sent event and a received event can: they differ in their direction,
	// and some backends forward a message to the room under the same name.
	Names map[events.Key]string

	// NameFunc overrides every other source of names. It gets the name from
	// SetNames, Discovery, Names or the defaults, and returns the name to use.
	// It must return the same name for the same arguments. It is called in New
	// and with each change, more than once if two changes happen at the same
	// time. It runs under no lock and may call the client. For names that the
	// server sent it runs in the connection's reader, and must not block.
	// Default: nil.
	NameFunc func(key events.Key, name string) string

	// Discovery asks the server for its event names. Default: disabled.
	Discovery Discovery

	// ServerErrorEvent is the event in which the server reports its own errors.
	// Default: DefaultServerErrorEvent.
	ServerErrorEvent string

	// Stream configures the order and the timeouts of answers.
	Stream StreamConfig

	// Delivery configures Deliver.
	Delivery Delivery

	// Tools configures the tools of HandleTool.
	Tools Tools

	// Observers are called with the events of the client, such as questions,
	// tokens and tool calls. Each has the method of one or more of the observer
	// interfaces of this package or of conn; those of conn are added to
	// Conn.Observers. Default: none, which costs nothing.
	Observers []any

	// Conn configures the connection. Conn.OnConnect is called after each
	// connect, before discovery and the joins. It sends on its Session, because
	// methods of the Client wait for Ready.
	Conn conn.Config
}

// withDefaults checks the Config and sets the defaults.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.NoJoin && c.JoinPayload != nil:
		return c, errors.New("chat: Config has both NoJoin and a JoinPayload")
	case !c.NoJoin && c.ChatID.IsZero() && c.JoinPayload == nil:
		return c, errors.New("chat: Config has no ChatID to join: set ChatID, JoinPayload or NoJoin")
	case c.JoinTimeout < 0 || c.Discovery.Timeout < 0 || c.Delivery.AckTimeout < 0:
		return c, errors.New("chat: a timeout of Config is negative")
	case c.Delivery.MaxAttempts < 0 || c.Delivery.MaxPending < 0 || c.Tools.MaxConcurrent < 0 || c.Tools.MaxPending < 0:
		return c, errors.New("chat: a limit of Config is negative")
	}
	setDefault(&c.ServerErrorEvent, DefaultServerErrorEvent)
	setDefault(&c.LeaveEvent, DefaultLeaveEvent)
	c.Discovery.setDefaults()
	c.Stream.setDefaults()
	c.Delivery.setDefaults()
	c.Tools.setDefaults()
	if c.JoinReply == nil {
		c.JoinReply = refusal
	}
	for field, name := range map[string]string{
		"ServerErrorEvent":        c.ServerErrorEvent,
		"LeaveEvent":              c.LeaveEvent,
		"Discovery.RequestEvent":  c.Discovery.RequestEvent,
		"Discovery.ResponseEvent": c.Discovery.ResponseEvent,
		"Tools.ResultEvent":       c.Tools.ResultEvent,
	} {
		if conn.Reserved(name) {
			return c, fmt.Errorf("chat: Config.%s %q is reserved", field, name)
		}
	}
	c.Meta, c.Names = maps.Clone(c.Meta), maps.Clone(c.Names)
	return c, nil
}

// setDefault sets a field that is zero.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
