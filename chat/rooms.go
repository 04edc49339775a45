package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
)

// A JoinError says that a room could not be joined: the server has refused, or
// has not answered in time. A refusal ends Run, unless Config.Conn.Retry says
// to try again; without an answer the session ends, and the next one tries again.
type JoinError struct {
	ChatID events.ID       // zero when the join names no room
	Reply  json.RawMessage // the server's; nil when there is none
	Err    error           // why it counts as refused, or context.DeadlineExceeded
}

func (e *JoinError) Error() string {
	return fmt.Sprintf("chat: join of room %q: %v", e.ChatID, e.Err)
}

// Unwrap returns the cause.
func (e *JoinError) Unwrap() error { return e.Err }

// refusal is the JoinReply of a Config that has none.
func refusal(_ events.ID, reply json.RawMessage) error {
	var answer struct {
		Error   any   `json:"error"`
		OK      *bool `json:"ok"`
		Success *bool `json:"success"`
	}
	if json.Unmarshal(reply, &answer) != nil {
		return nil // no object with these members: nothing speaks against it
	}
	switch {
	case answer.Error != nil && answer.Error != false && answer.Error != "":
		return fmt.Errorf("refused: %v", answer.Error)
	case answer.OK != nil && !*answer.OK, answer.Success != nil && !*answer.Success:
		return errors.New("refused")
	}
	return nil
}

// Join joins a further room on the same connection, and again after each
// connect, until Leave; the zero ChatID stands for Config.ChatID. It waits until
// the client is Ready, or joins the rooms of a new session, and then until the
// join is written or, with Config.JoinTimeout, acknowledged. A room that is
// joined already is not joined again.
//
// A refusal is a [*JoinError], and so is [ErrLeft]; any other failure is a
// [*conn.SendError]. After an error the room is not joined on later connects
// either, and Run goes on.
//
// Every topic carries the events of all rooms, each with its ChatID; [InRoom]
// narrows a subscription down to one.
func (c *Client) Join(ctx context.Context, chatID events.ID) error {
	setDefault(&chatID, c.cfg.ChatID)
	return c.rooms.join(ctx, chatID)
}

// Leave leaves a room, which is not joined again on later connects; the zero
// ChatID stands for Config.ChatID. A concurrent Join of the room returns
// [ErrLeft]. Leave waits as Join does until it can write the event. Its error
// is a [*conn.SendError]; even then the room is not joined again.
func (c *Client) Leave(ctx context.Context, chatID events.ID) error {
	setDefault(&chatID, c.cfg.ChatID)
	return c.rooms.leave(ctx, chatID)
}

// InRoom narrows a subscription down to the events that carry the ChatID of one room:
//
//	tokens := client.Tokens.Chan(ctx, chat.InRoom[events.AIToken](room))
func InRoom[T events.Event](chatID events.ID) bus.Option {
	return bus.Filter(func(e T) bool { return e.Envelope().ChatID == chatID })
}
