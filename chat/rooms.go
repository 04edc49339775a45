package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// A JoinError reports a failed join: the server refused it, did not reply
// within Config.JoinTimeout, or Leave was called first. For a join after a
// connect, a refusal ends Run unless Config.Conn.Retry returns true. Without a
// reply the session ends, and the next session joins again.
type JoinError struct {
	ChatID events.ID       // zero if the join has no ChatID
	Reply  json.RawMessage // the server's; nil if there is none
	Err    error           // JoinReply's error, context.DeadlineExceeded or ErrLeft
}

func (e *JoinError) Error() string {
	return fmt.Sprintf("chat: join of room %q: %v", e.ChatID, e.Err)
}

// Unwrap returns the cause.
func (e *JoinError) Unwrap() error { return e.Err }

// refusal is the default of Config.JoinReply.
func refusal(_ events.ID, reply json.RawMessage) error {
	var answer struct{ Error, OK, Success any }
	if (conn.Event{Args: conn.Args{reply}}).Decode(0, &answer) != nil {
		return nil // not an object: no refusal
	}
	switch {
	case !isEmpty(answer.Error):
		return fmt.Errorf("refused: %v", answer.Error)
	case isNo(answer.OK), isNo(answer.Success):
		return errors.New("refused")
	}
	return nil
}

// isEmpty reports whether the error of a reply reports no error.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	default:
		return v == nil || v == false || v == "" || v == 0.0
	}
}

// isNo reports whether a member of a reply denies success.
func isNo(v any) bool {
	text, _ := v.(string)
	return v == false || v == 0.0 || strings.EqualFold(text, "no") || strings.EqualFold(text, "false")
}

// Join joins a further room on the same connection, and again after each
// connect, until Leave is called. The zero ChatID means Config.ChatID. Join
// waits until the client is Ready or is joining the rooms of a new session.
// Then it waits until the join is written or, with Config.JoinTimeout,
// acknowledged. If the room is already joined, Join returns nil.
//
// A refusal, a missing acknowledgement and [ErrLeft] are a [*JoinError]. Any
// other failure is a [*conn.SendError]. After an error the room is not joined
// on later connects, and Run continues.
//
// Every topic carries the events of all rooms, each with its ChatID. [InRoom]
// limits a subscription to one room.
func (c *Client) Join(ctx context.Context, chatID events.ID) error {
	setDefault(&chatID, c.cfg.ChatID)
	_, err := c.rooms.join(ctx, chatID, byJoin)
	return err
}

// JoinShared joins a room as [Client.Join] does, for one of several parts of a
// program. leave ends this use of the room, and leaves the room after the last
// use. If Join was called for it as well, the room stays joined. The error of
// leave is that of [Client.Leave]. Leave leaves the room in any case.
func (c *Client) JoinShared(ctx context.Context, chatID events.ID) (leave func(ctx context.Context) error, err error) {
	setDefault(&chatID, c.cfg.ChatID)
	share, err := c.rooms.join(ctx, chatID, byJoinShared)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return c.rooms.release(ctx, share) }, nil
}

// Leave leaves a room, which is not joined again on later connects. The zero
// ChatID means Config.ChatID. A concurrent Join of the room returns [ErrLeft].
// Like Join, Leave waits until it can write the event. Its error is a
// [*conn.SendError]; even then the room is not joined again.
func (c *Client) Leave(ctx context.Context, chatID events.ID) error {
	setDefault(&chatID, c.cfg.ChatID)
	return c.rooms.leave(ctx, chatID)
}

// Joined reports whether a room is joined: after each connect until Leave is
// called. It is also true while a Join waits for its acknowledgement. The zero
// ChatID means Config.ChatID.
func (c *Client) Joined(chatID events.ID) bool {
	setDefault(&chatID, c.cfg.ChatID)
	return c.rooms.joined(chatID)
}

// InRoom limits a subscription to the events of one room. ChatIDs are compared
// by their text, with [events.ID.Same]:
//
//	tokens := client.Tokens.Chan(ctx, chat.InRoom[events.AIToken](room))
func InRoom[T events.Event](chatID events.ID) bus.Option {
	return bus.Filter(func(e T) bool { return e.Envelope().ChatID.Same(chatID) })
}
