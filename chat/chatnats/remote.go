package chatnats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

// DefaultDeadline is how long a Remote waits for the holder.
const DefaultDeadline = 10 * time.Second

// What a [RemoteError] may be for, besides what the holder's client returned.
var (
	// ErrNoHolder says that nobody holds the chat's socket, so nothing was sent.
	ErrNoHolder = errors.New("chatnats: nobody holds the chat")

	// ErrHolderLost says that whoever held the socket has not answered in time,
	// or is another one by now, which does not know of the question.
	ErrHolderLost = errors.New("chatnats: the holder is lost")
)

// A RemoteError says that a verb, or a question, came to nothing.
type RemoteError struct {
	Verb      string
	MaybeSent bool // false: the backend has certainly not seen it
	Err       error
}

func (e *RemoteError) Error() string {
	return fmt.Sprintf("chatnats: remote %s: %v", e.Verb, e.Err)
}

// Unwrap returns the cause.
func (e *RemoteError) Unwrap() error { return e.Err }

// A Remote speaks in a chat through whoever holds its socket and serves it with
// [Serve], on whatever machine. Its methods do what those of chat.Client do.
// They wait for the holder until Deadline or until their ctx ends; their error is a
// [*RemoteError]. While one holder follows another, they wait for the new one.
// Fill it in and use it; it is safe for concurrent use, and not to be changed then.
type Remote struct {
	Bus *Bus

	// ChatID is the chat whose holder is spoken to, and the chat of what names none.
	ChatID events.ID

	// Deadline is how long a holder may be silent. Default: DefaultDeadline.
	Deadline time.Duration
}

func (r *Remote) deadline() time.Duration {
	d := r.Deadline
	setDefault(&d, DefaultDeadline)
	return d
}

// SendMessage sends a message of a person; see chat.Client.SendMessage.
func (r *Remote) SendMessage(ctx context.Context, m events.UserMessage) error {
	setDefault(&m.ChatID, r.ChatID)
	_, err := r.call(ctx, verbSend, m)
	return err
}

// Deliver sends a message until the backend has acknowledged it, and returns
// the acknowledgement; see chat.Client.Deliver.
func (r *Remote) Deliver(ctx context.Context, m events.UserMessage) (json.RawMessage, error) {
	setDefault(&m.ChatID, r.ChatID)
	return r.call(ctx, verbDeliver, m)
}

// TypingStart says in the holder's own chat that a person has begun to type.
func (r *Remote) TypingStart(ctx context.Context, userID events.ID) error {
	_, err := r.call(ctx, verbTypingStart, userID)
	return err
}

// TypingStop says in the holder's own chat that a person has stopped typing.
func (r *Remote) TypingStop(ctx context.Context, userID events.ID) error {
	_, err := r.call(ctx, verbTypingStop, userID)
	return err
}

// Abort asks the backend to stop an answer; see chat.Client.Abort.
func (r *Remote) Abort(ctx context.Context, a events.Abort) error {
	setDefault(&a.ChatID, r.ChatID)
	_, err := r.call(ctx, verbAbort, a)
	return err
}

// MarkRead says which messages a person has read.
func (r *Remote) MarkRead(ctx context.Context, read events.Read) error {
	setDefault(&read.ChatID, r.ChatID)
	_, err := r.call(ctx, verbRead, read)
	return err
}

// Emit sends any event; see chat.Client.Emit.
func (r *Remote) Emit(ctx context.Context, event string, payload any) error {
	raw, err := jsonv2.Marshal(payload)
	if err != nil {
		return &RemoteError{Verb: verbEmit, Err: err}
	}
	_, err = r.call(ctx, verbEmit, emission{event, raw})
	return err
}

// call brings a verb to the holder and returns the reply.
func (r *Remote) call(ctx context.Context, verb string, body any) (json.RawMessage, error) {
	failed := &RemoteError{Verb: verb}
	ctx, cancel := context.WithTimeoutCause(ctx, r.deadline(), ErrHolderLost)
	defer cancel()
	data, err := jsonv2.Marshal(body)
	if err != nil {
		failed.Err = err
		return nil, failed
	}
	reply, err := r.request(ctx, verb, data, "")
	if err != nil {
		failed.MaybeSent, failed.Err = !errors.Is(err, ErrNoHolder), err
		return nil, failed
	}
	var a answer
	if err := jsonv2.Unmarshal(reply.Data, &a); err != nil {
		failed.MaybeSent, failed.Err = true, err
		return nil, failed
	}
	if a.Failure != nil {
		failed.MaybeSent, failed.Err = a.Failure.MaybeSent, a.Failure.err()
		return nil, failed
	}
	return a.Reply, nil
}

// request sends a request to the holder and waits for its first word. As long
// as there is nobody to take it, it tries again.
func (r *Remote) request(ctx context.Context, verb string, data []byte, inbox string) (*nats.Msg, error) {
	msg := nats.NewMsg(r.Bus.holder(r.ChatID))
	msg.Data = data
	msg.Header.Set(headerVerb, verb)
	if inbox != "" {
		msg.Header.Set(headerInbox, inbox)
	}
	for {
		if end, ok := ctx.Deadline(); ok {
			// The holder gives up a little earlier, so that its word can still arrive.
			msg.Header.Set(headerTime, strconv.FormatInt(time.Until(end).Milliseconds()*9/10, 10))
		}
		reply, err := r.Bus.conn.RequestMsgWithContext(ctx, msg)
		switch {
		case err == nil:
			return reply, nil
		case errors.Is(err, nats.ErrNoResponders):
			select {
			case <-time.After(firstPause):
				continue
			case <-ctx.Done():
				if context.Cause(ctx) == ErrHolderLost {
					return nil, ErrNoHolder
				}
				return nil, fmt.Errorf("%w: %w", ErrNoHolder, ctx.Err())
			}
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		default:
			return nil, err
		}
	}
}

// holder is the subject that the holder of a chat answers on. It is no subject of
// the stream, which has three tokens.
func (b *Bus) holder(chatID events.ID) string { return b.prefix + ".holder.of." + tokenOf(chatID) }

// The verbs, and the headers of a request.
const (
	verbSend        = "send"
	verbDeliver     = "deliver"
	verbTypingStart = "typingStart"
	verbTypingStop  = "typingStop"
	verbAbort       = "abort"
	verbRead        = "read"
	verbEmit        = "emit"
	verbAsk         = "ask"

	headerVerb  = "Parley-Verb"
	headerTime  = "Parley-Milliseconds" // how long the asker will wait
	headerInbox = "Parley-Inbox"        // where the answer to a question goes
)

type emission struct {
	Event   string          `json:"event"`
	Payload json.RawMessage `json:"payload"`
}

// An answer is what the holder says to a verb.
type answer struct {
	Reply   json.RawMessage `json:"reply,omitzero"`
	Failure *failure        `json:"failure,omitzero"`
}

// A failure is an error on its way.
type failure struct {
	Text      string          `json:"text"`
	Known     string          `json:"known,omitzero"` // the text of a known error that it is
	MaybeSent bool            `json:"maybeSent,omitzero"`
	AI        *events.AIError `json:"ai,omitzero"`
	Gap       *chat.GapError  `json:"gap,omitzero"`
}

// known are the errors that stay what they are.
var known = []error{
	chat.ErrNoToken, chat.ErrStalled, chat.ErrOffline, chat.ErrAborted, chat.ErrAmbiguous, chat.ErrStopped, chat.ErrTooLong,
	chat.ErrNoUser, chat.ErrDuplicateRequest, chat.ErrQueueFull, ErrHolderLost, ErrLeaseLost, context.DeadlineExceeded,
}

func failureOf(err error, maybeSent bool) *failure {
	f := &failure{Text: err.Error(), MaybeSent: maybeSent}
	for _, is := range known {
		if errors.Is(err, is) {
			f.Known = is.Error()
			break
		}
	}
	if ai, ok := errors.AsType[*events.AIError](err); ok {
		f.AI = ai
	}
	if gap, ok := errors.AsType[*chat.GapError](err); ok {
		f.Gap = gap
	}
	return f
}

func (f *failure) err() error {
	switch {
	case f.AI != nil:
		return f.AI
	case f.Gap != nil:
		return f.Gap
	}
	for _, is := range known {
		if f.Known == is.Error() {
			if f.Text == f.Known {
				return is
			}
			return fmt.Errorf("%w (%s)", is, f.Text)
		}
	}
	return errors.New(f.Text)
}
