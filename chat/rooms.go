package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/reconnect"
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

// A room is one that is joined after each connect.
type room struct {
	chatID  events.ID // zero: the join of JoinPayload alone
	session string    // the id of the session that it was joined on last
}

// enter is what a session begins with: discovery, then the joins.
func (c *Client) enter(ctx context.Context, s *conn.Session) error {
	if c.cfg.Discovery.Enabled {
		c.discover(ctx, s)
	}
	c.mu.Lock()
	rooms := slices.Clone(c.rooms)
	c.mu.Unlock()
	for _, r := range rooms {
		err := c.join(ctx, r.chatID, s.Emit, s.Call)
		var refused *JoinError
		switch {
		case errors.As(err, &refused) && !errors.Is(err, context.DeadlineExceeded) && !c.retries(err):
			return reconnect.Permanent(err)
		case err != nil:
			return err
		}
		c.joined(r.chatID, s.ID())
	}
	c.answers.online(ctx, s.Recovered())
	return nil
}

func (c *Client) retries(err error) bool { return c.cfg.Conn.Retry != nil && c.cfg.Conn.Retry(err) }

// join sends one join and, if that is asked for, looks at its acknowledgement.
func (c *Client) join(ctx context.Context, chatID events.ID,
	emit func(ctx context.Context, event string, args ...any) error,
	call func(ctx context.Context, reply any, event string, args ...any) error) error {
	payload := c.base.inRoom(chatID).with(c.cfg.JoinPayload)
	name := c.name(events.KeyJoin)
	if c.cfg.JoinTimeout == 0 {
		return emit(ctx, name, payload)
	}
	waiting, cancel := context.WithTimeout(ctx, c.cfg.JoinTimeout)
	defer cancel()
	var args conn.Args
	if err := call(waiting, &args, name, payload); err != nil {
		if ctx.Err() == nil && waiting.Err() != nil {
			err = &JoinError{ChatID: chatID, Err: waiting.Err()}
		}
		return err
	}
	var reply json.RawMessage
	if len(args) > 0 {
		reply = args[0]
	}
	if err := c.cfg.JoinReply(chatID, reply); err != nil {
		return &JoinError{ChatID: chatID, Reply: reply, Err: err}
	}
	return nil
}

// joined notes that a room has been joined on a session.
func (c *Client) joined(chatID events.ID, session string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.rooms {
		if c.rooms[i].chatID == chatID {
			c.rooms[i].session = session
		}
	}
}

// Join enters a further room on the same connection, and again after each
// connect, until Leave. It waits until the client is Ready and the join is
// written, or acknowledged where Config.JoinTimeout asks for that: it returns
// a [*JoinError] then for a refusal, and a [*conn.SendError] when it comes to
// nothing; the room is not joined after the next connect either. Joined twice,
// a room is joined once.
//
// Every topic carries the events of all rooms, each with its ChatID; [InRoom]
// narrows a subscription down to one.
func (c *Client) Join(ctx context.Context, chatID events.ID) error {
	c.mu.Lock()
	known := c.roomIndex(chatID) >= 0
	if !known {
		c.rooms = append(c.rooms, room{chatID: chatID})
	}
	c.mu.Unlock()
	if known {
		return c.Ready(ctx)
	}
	err := c.joinNow(ctx, chatID)
	if err != nil {
		c.forget(chatID)
	}
	return err
}

// joinNow joins a room, unless the session has begun with that.
func (c *Client) joinNow(ctx context.Context, chatID events.ID) error {
	if err := c.Ready(ctx); err != nil {
		return &conn.SendError{Event: c.name(events.KeyJoin), Err: err}
	}
	session := c.State().SessionID
	c.mu.Lock()
	i := c.roomIndex(chatID)
	inside := i < 0 || c.rooms[i].session == session // Leave, or the session, was faster
	c.mu.Unlock()
	if inside {
		return nil
	}
	return c.join(ctx, chatID, c.conn.Emit, func(ctx context.Context, reply any, event string, args ...any) error {
		got, err := conn.Call[conn.Args](ctx, c.conn, event, args...)
		*reply.(*conn.Args) = got
		return err
	})
}

// Leave tells the server that the client leaves a room, and does not join it
// any more, the one of Config.ChatID included. Its error is a [*conn.SendError]; the
// room is not joined again even then.
func (c *Client) Leave(ctx context.Context, chatID events.ID) error {
	c.forget(chatID)
	return c.conn.Emit(ctx, c.cfg.LeaveEvent, c.base.inRoom(chatID).with(nil))
}

func (c *Client) forget(chatID events.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.roomIndex(chatID); i >= 0 {
		c.rooms = slices.Delete(c.rooms, i, i+1)
	}
}

// roomIndex returns the place of a room, -1 if it is not joined; c.mu is held.
func (c *Client) roomIndex(chatID events.ID) int {
	return slices.IndexFunc(c.rooms, func(r room) bool { return r.chatID == chatID })
}

// InRoom narrows a subscription down to the events of one room:
//
//	tokens := client.Tokens.Chan(ctx, chat.InRoom[events.AIToken](room))
func InRoom[T events.Event](chatID events.ID) bus.Option {
	return bus.Only(func(e T) bool { return e.Envelope().ChatID == chatID })
}
