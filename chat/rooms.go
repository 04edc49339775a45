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
	chatID  events.ID     // zero: the join of JoinPayload alone
	session *conn.Session // the one that it was joined on last
}

// A joining is a call of Join that has not returned yet.
type joining struct {
	chatID events.ID
	cancel context.CancelCauseFunc
}

// withRooms runs do while no other join or leave is sent, so that the server
// and the client see them in the same order. do ends with its session, so the
// next session does not wait for long.
func (c *Client) withRooms(ctx context.Context, event string, do func() error) error {
	select {
	case c.roomsSem <- struct{}{}:
		defer func() { <-c.roomsSem }()
		return do()
	case <-ctx.Done():
		return &conn.SendError{Event: event, Err: ctx.Err()}
	}
}

// rejoin joins all rooms on a new session.
func (c *Client) rejoin(ctx context.Context, s *conn.Session) error {
	return c.withRooms(ctx, c.name(events.KeyJoin), func() error {
		c.mu.Lock()
		rooms := slices.Clone(c.rooms)
		c.mu.Unlock()
		for _, r := range rooms {
			if err := c.join(ctx, s, r.chatID); err != nil {
				return err
			}
			c.joined(s, r.chatID)
		}
		return nil
	})
}

// join sends one join and, if that is asked for, looks at its acknowledgement.
func (c *Client) join(ctx context.Context, s *conn.Session, chatID events.ID) error {
	payload := c.base.inRoom(chatID).with(c.cfg.JoinPayload)
	name := c.name(events.KeyJoin)
	if c.cfg.JoinTimeout == 0 {
		return s.Emit(ctx, name, payload)
	}
	waiting, cancel := context.WithTimeout(ctx, c.cfg.JoinTimeout)
	defer cancel()
	var args conn.Args
	if err := s.Call(waiting, &args, name, payload); err != nil {
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

// joined notes that a room has been joined on a session, unless it has been
// left meanwhile.
func (c *Client) joined(s *conn.Session, chatID events.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.roomIndex(chatID); i >= 0 {
		c.rooms[i].session = s
	}
}

// Join enters a further room on the same connection, and again after each
// connect, until Leave; the zero ChatID stands for the client's own. It waits until the client is Ready and
// the join is written, or acknowledged where Config.JoinTimeout asks for that.
// Joined twice, a room is joined once.
//
// A refusal comes back as a [*JoinError], as does [ErrLeft]; what else keeps the join from
// being made as a [*conn.SendError]. The room is not joined after the next
// connect then either, and Run goes on.
//
// Every topic carries the events of all rooms, each with its ChatID; [InRoom]
// narrows a subscription down to one.
func (c *Client) Join(ctx context.Context, chatID events.ID) error {
	setDefault(&chatID, c.cfg.ChatID)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pending := &joining{chatID, cancel}
	c.mu.Lock()
	c.joinings = append(c.joinings, pending)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.joinings = slices.DeleteFunc(c.joinings, func(j *joining) bool { return j == pending })
	}()

	for {
		s, err := c.entered(ctx)
		if err != nil {
			err = &conn.SendError{Event: c.name(events.KeyJoin), Err: err}
		} else {
			err = c.withRooms(ctx, c.name(events.KeyJoin), func() error { return c.joinOn(ctx, s.Session, chatID) })
		}
		switch {
		case err != nil && context.Cause(ctx) == ErrLeft:
			return &JoinError{ChatID: chatID, Err: ErrLeft}
		case !notSent(err):
			return err
		}
	}
}

// joinOn joins a room on a session, unless that has been done.
func (c *Client) joinOn(ctx context.Context, s *conn.Session, chatID events.ID) error {
	c.mu.Lock()
	i := c.roomIndex(chatID)
	inside := i >= 0 && c.rooms[i].session == s
	c.mu.Unlock()
	if inside {
		return nil
	}
	if err := c.join(ctx, s, chatID); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := context.Cause(ctx); err == ErrLeft {
		return err // the join was sent, and Leave is about to send the leave
	}
	if c.roomIndex(chatID) < 0 {
		c.rooms = append(c.rooms, room{chatID: chatID})
	}
	c.rooms[c.roomIndex(chatID)].session = s
	return nil
}

// Leave leaves a room, which is not joined again on later connects; the zero
// ChatID stands for Config.ChatID. A concurrent Join of the room returns
// [ErrLeft]. Leave waits until the client is Ready and the event is written. Its
// error is a [*conn.SendError]; even then the room is not joined again.
func (c *Client) Leave(ctx context.Context, chatID events.ID) error {
	setDefault(&chatID, c.cfg.ChatID)
	c.forget(chatID)
	return c.sendLeave(ctx, chatID)
}

// sendLeave sends the leave of a room, unless a later Join has joined it again.
func (c *Client) sendLeave(ctx context.Context, chatID events.ID) error {
	for {
		s, err := c.entered(ctx)
		if err != nil {
			return &conn.SendError{Event: c.cfg.LeaveEvent, Err: err}
		}
		err = c.withRooms(ctx, c.cfg.LeaveEvent, func() error {
			c.mu.Lock()
			again := c.roomIndex(chatID) >= 0
			c.mu.Unlock()
			if again {
				return nil
			}
			return s.Emit(ctx, c.cfg.LeaveEvent, c.base.inRoom(chatID).with(nil))
		})
		if !notSent(err) {
			return err
		}
	}
}

// forget removes a room from those that are joined, and ends its Joins in
// progress.
func (c *Client) forget(chatID events.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.roomIndex(chatID); i >= 0 {
		c.rooms = slices.Delete(c.rooms, i, i+1)
	}
	for _, j := range c.joinings {
		if j.chatID == chatID {
			j.cancel(ErrLeft)
		}
	}
}

// roomIndex returns the place of a room, -1 if it is not joined; c.mu is held.
func (c *Client) roomIndex(chatID events.ID) int {
	return slices.IndexFunc(c.rooms, func(r room) bool { return r.chatID == chatID })
}

// InRoom narrows a subscription down to the events that carry the ChatID of one room:
//
//	tokens := client.Tokens.Chan(ctx, chat.InRoom[events.AIToken](room))
func InRoom[T events.Event](chatID events.ID) bus.Option {
	return bus.Filter(func(e T) bool { return e.Envelope().ChatID == chatID })
}
