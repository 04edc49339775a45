package chat

import (
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
	DefaultStallTimeout     = time.Minute
)

// A Config says what the chat is and how its backend speaks. One of ChatID,
// JoinPayload and NoJoin has to be set; all else has a default.
type Config struct {
	// ChatID is the room: it is joined after each connect, and goes out with
	// everything that is sent. Default: none.
	ChatID events.ID

	// NoJoin is for backends without rooms: nothing is joined. Default: false.
	NoJoin bool

	// JoinPayload are the join's own fields, merged behind chatId and Meta like
	// those of any event. Default: nil.
	JoinPayload any

	// Meta is merged into everything that goes to the server: chatId first,
	// then Meta, then the event's own fields; a later one wins over an earlier
	// one of the same name. Default: nil.
	Meta map[string]any

	// Names replaces event names, sent or heard. Default: those of the
	// contract, events.Key.DefaultName.
	Names map[events.Key]string

	// NameFunc has the last word on every name: it gets what Names, SetNames
	// and the defaults have come to, and returns the name to use. It must
	// always give the same answer. Default: nil.
	NameFunc func(key events.Key, name string) string

	// ServerErrorEvent is the event that the server reports its errors with.
	// Default: DefaultServerErrorEvent.
	ServerErrorEvent string

	// StallTimeout ends a Stream with ErrStalled when that long nothing has
	// come for it. Default: DefaultStallTimeout; negative: never.
	StallTimeout time.Duration

	// Conn says how to connect. Its Join is the chat's own: use Names,
	// JoinPayload and NoJoin.
	Conn conn.Config
}

// withDefaults checks the Config and fills what is not set.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Conn.Join.Event != "" || c.Conn.Join.Payload != nil:
		return c, errors.New("chat: Config.Conn.Join is set: use ChatID, JoinPayload, Names and NoJoin")
	case c.NoJoin && c.JoinPayload != nil:
		return c, errors.New("chat: Config has both NoJoin and a JoinPayload")
	case !c.NoJoin && c.ChatID.IsZero() && c.JoinPayload == nil:
		return c, errors.New("chat: Config has no ChatID to join: set ChatID, JoinPayload or NoJoin")
	}
	if c.ServerErrorEvent == "" {
		c.ServerErrorEvent = DefaultServerErrorEvent
	}
	if conn.Reserved(c.ServerErrorEvent) {
		return c, fmt.Errorf("chat: Config.ServerErrorEvent %q is reserved", c.ServerErrorEvent)
	}
	if c.StallTimeout == 0 {
		c.StallTimeout = DefaultStallTimeout
	}
	c.Meta, c.Names = maps.Clone(c.Meta), maps.Clone(c.Names)
	return c, nil
}
