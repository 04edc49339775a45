package chat

import (
	"context"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/socketio"
)

// SendMessage sends a user's message to the chat. It waits until the client is
// Ready and the event is written, or until ctx ends. Its error is a
// [*conn.SendError], which reports whether the event may have been sent. The
// caller sets the MessageID. The zero ChatID means the client's own. Use
// [Client.Deliver] to wait for an acknowledgement.
func (c *Client) SendMessage(ctx context.Context, m events.UserMessage) error {
	if !c.streams.used.Load() {
		err := c.send(ctx, c.names.named(events.KeyUserMessage), m, nil)
		if maybeSent(err) {
			c.streams.wroteEarly()
		}
		return err
	}
	chatID := m.ChatID
	setDefault(&chatID, c.cfg.ChatID)
	question := ownMessage(chatID, m.MessageID, m.UserID)
	return c.asking(&question, func(sending func(*conn.Session)) error {
		return c.send(ctx, c.names.named(events.KeyUserMessage), m, sending)
	})
}

// TypingStart reports that a user has begun to type. The event is volatile: if
// the client is not Ready, it is dropped at once, and the error is a
// [*conn.SendError] with [conn.ErrNotReady].
func (c *Client) TypingStart(ctx context.Context, userID events.ID) error {
	return c.Typing(ctx, true, events.Typing{UserID: userID})
}

// TypingStop reports that a user has stopped typing. The event is volatile,
// like the event of TypingStart.
func (c *Client) TypingStop(ctx context.Context, userID events.ID) error {
	return c.Typing(ctx, false, events.Typing{UserID: userID})
}

// Typing is TypingStart or TypingStop with all fields of the event, such as a
// TraceID or the ChatID of a further room.
func (c *Client) Typing(ctx context.Context, active bool, t events.Typing) error {
	key := events.KeyUserTypingStop
	if active {
		key = events.KeyUserTypingStart
	}
	if err := ctx.Err(); err != nil {
		return &conn.SendError{Event: c.names.name(key), Err: err}
	}
	return c.conn.TryEmit(c.names.name(key), c.base.with(t)) // does not wait for Ready
}

// Abort asks the backend to stop the answer to a.RequestID or, without one,
// every answer in the chat a.ChatID, by default the client's own. The
// streams of those answers end at once with [ErrAborted], and the ctx of their
// tool calls ends. Abort returns when the abort is written.
func (c *Client) Abort(ctx context.Context, a events.Abort) error {
	ctx, release, err := c.conn.Hold(ctx) // before an answer ends
	if err != nil {
		return &conn.SendError{Event: c.names.name(events.KeyAIAbort), Err: err}
	}
	defer release()
	meant := a
	setDefault(&meant.ChatID, c.cfg.ChatID)
	c.aborted(meant)
	return c.say(ctx, events.KeyAIAbort, a)
}

// aborted ends the tool calls and streams of an abort.
func (c *Client) aborted(a events.Abort) {
	c.tools.abort(a)
	c.streams.aborted(a)
}

// MarkRead reports which messages a user has read, and when. It waits and fails
// as [Client.SendMessage] does.
func (c *Client) MarkRead(ctx context.Context, r events.Read) error {
	return c.say(ctx, events.KeyChatRead, r)
}

// Emit sends any event. A payload that is nil or encodes as a JSON object is
// merged with chatId and Meta, as in all other methods. Any other payload is
// sent unchanged. Emit waits and fails as [Client.SendMessage] does. Use
// Conn().Emit to send several arguments.
func (c *Client) Emit(ctx context.Context, event string, payload any) error {
	question := c.possibleQuestion(event, payload)
	if question == nil {
		return c.conn.Emit(ctx, event, c.base.with(payload))
	}
	return c.asking(question, func(sending func(*conn.Session)) error {
		return c.send(ctx, func() string { return event }, payload, sending)
	})
}

// possibleQuestion returns the own message of an event that the backend may
// answer, and nil for any other event.
func (c *Client) possibleQuestion(event string, payload any) *own {
	if event != c.names.name(events.KeyUserMessage) {
		return nil
	}
	var args []struct {
		ChatID    events.ID `json:"chatId"`
		MessageID string    `json:"messageId"`
		UserID    events.ID `json:"userId"`
	}
	encoded, err := new(socketio.Encoder).AppendArgs(nil, []any{c.base.with(payload)})
	if err != nil || jsonv2.Unmarshal(encoded, &args, jsontext.AllowDuplicateNames(true)) != nil || len(args) == 0 {
		return &own{}
	}
	return new(ownMessage(args[0].ChatID, args[0].MessageID, args[0].UserID))
}

// asking calls send, which sends a message that the backend may answer. The
// func that send gets must be called before each attempt.
func (c *Client) asking(question *own, send func(sending func(*conn.Session)) error) error {
	var unsent func()
	sent := false
	defer func() { // also after a panic while the payload is encoded
		if unsent != nil && !sent {
			unsent()
		}
	}()
	err := send(func(*conn.Session) {
		if unsent == nil {
			unsent = c.streams.writing(*question)
		}
	})
	sent = maybeSent(err)
	return err
}

func (c *Client) say(ctx context.Context, key events.Key, payload any) error {
	return c.send(ctx, c.names.named(key), payload, nil)
}
