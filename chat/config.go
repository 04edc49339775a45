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

// A Config says what the chat is and how its backend speaks. One of ChatID,
// JoinPayload and NoJoin has to be set; all else has a default.
type Config struct {
	// ChatID is the room: it is joined after each connect, and goes out with
	// everything that is sent. Default: none.
	ChatID events.ID

	// NoJoin is for backends without rooms: nothing is joined. Default: false.
	NoJoin bool

	// JoinPayload are the own fields of every join, those of further rooms
	// included, merged behind chatId and Meta like those of any event. Default:
	// nil.
	JoinPayload any

	// JoinTimeout has every join acknowledged by the server within that time;
	// without it a join is sent and nothing more. Default: 0, not acknowledged.
	JoinTimeout time.Duration

	// JoinReply checks the acknowledgement of a join, the JSON of its first
	// argument, nil if it has none; an error means that the join was
	// refused. It runs under no lock. After a connect it runs before the
	// client is Ready, so it must not wait for methods that wait for Ready.
	// It may call Join and Leave, which then act on the session that is
	// being joined. Default: an object with an error that is not null, or
	// with ok or success false, is a refusal.
	JoinReply func(chatID events.ID, reply json.RawMessage) error

	// LeaveEvent is the event that leaves a room. Default: DefaultLeaveEvent.
	LeaveEvent string

	// Meta is merged into everything that goes to the server: chatId first,
	// then Meta, then the event's own fields; a later one wins over an earlier
	// one of the same name. Default: nil.
	Meta map[string]any

	// Names replaces event names, sent or received. Default: those of the
	// contract, events.Key.DefaultName.
	Names map[events.Key]string

	// NameFunc overrides every other source of names: it gets the name that
	// SetNames, Discovery, Names and the defaults result in, and returns
	// the name to use. It is called in New and with each change, more than
	// once if two changes meet, and must return the same name for the same
	// arguments. It runs under no lock and may call the client. For names
	// of the server it runs in the connection's reader, and must not block.
	// Default: nil.
	NameFunc func(key events.Key, name string) string

	// Discovery asks the server for its event names. Default: it is not asked.
	Discovery Discovery

	// ServerErrorEvent is the event that the server reports its errors with.
	// Default: DefaultServerErrorEvent.
	ServerErrorEvent string

	// Stream configures how answers are put together, and their timeouts.
	Stream StreamConfig

	// Delivery says how Deliver goes about it.
	Delivery Delivery

	// Tools says how tools are run.
	Tools Tools

	// Conn configures the connection. Conn.OnConnect is called after each
	// connect, before discovery and the joins. It sends on its Session: methods
	// of the Client wait for Ready, which comes later.
	Conn conn.Config
}

// withDefaults checks the Config and fills what is not set.
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

// setDefault sets what is zero.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
