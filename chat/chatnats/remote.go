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
	"github.com/seed67206a74/parley/events"
)

// DefaultDeadline is how long a Remote waits for the holder.
const DefaultDeadline = 10 * time.Second

// Causes of a [RemoteError], besides the errors of the holder's client.
var (
	// ErrNoHolder: no instance that holds the lease has answered, and nothing
	// was sent.
	ErrNoHolder = errors.New("chatnats: no holder of the chat")

	// ErrHolderLost: the holder that was asked has not answered in time, or has
	// lost its lease.
	ErrHolderLost = errors.New("chatnats: the holder is lost")

	// ErrOtherChat: the request names another chat than the Remote.
	ErrOtherChat = errors.New("chatnats: the request is about another chat")
)

// A RemoteError reports a failed call or question of a [Remote].
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

// A Remote speaks in a chat through the instance that holds its socket and runs
// [Serve], on any machine. Its methods do what those of chat.Client do. They
// wait for the holder until Deadline has passed or ctx ends; their error is a
// [*RemoteError]. A request that a holder has not taken goes to the next one.
// Fill it in and use it; it is safe for concurrent use, and not to be changed then.
type Remote struct {
	Bus *Bus

	// ChatID is the chat that it speaks in.
	ChatID events.ID

	// Lease is the id that the holder has given to RunWithLease. Default: ChatID.
	Lease events.ID

	// Deadline is how long a holder may be silent. Default: DefaultDeadline.
	Deadline time.Duration
}

func (r *Remote) deadline() time.Duration {
	d := r.Deadline
	setDefault(&d, DefaultDeadline)
	return d
}

// lease returns the token of the lease.
func (r *Remote) lease() string {
	id := r.Lease
	setDefault(&id, r.ChatID)
	return tokenOf(id)
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

// TypingStart says that a person has begun to type.
func (r *Remote) TypingStart(ctx context.Context, userID events.ID) error {
	_, err := r.call(ctx, verbTypingStart, events.Typing{ChatID: r.ChatID, UserID: userID})
	return err
}

// TypingStop says that a person has stopped typing.
func (r *Remote) TypingStop(ctx context.Context, userID events.ID) error {
	_, err := r.call(ctx, verbTypingStop, events.Typing{ChatID: r.ChatID, UserID: userID})
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

// Emit sends any event. The payload encodes as a JSON object, or is nil; a
// chatId in it must be that of the Remote. See chat.Client.Emit.
func (r *Remote) Emit(ctx context.Context, event string, payload any) error {
	raw, err := jsonv2.Marshal(payload)
	if err != nil {
		return &RemoteError{Verb: verbEmit, Err: err}
	}
	_, err = r.call(ctx, verbEmit, emission{event, raw})
	return err
}

// call performs a verb through the holder and returns the reply.
func (r *Remote) call(ctx context.Context, verb string, body any) (json.RawMessage, error) {
	failed := &RemoteError{Verb: verb}
	data, err := jsonv2.Marshal(body)
	if err != nil {
		failed.Err = err
		return nil, failed
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.deadline(), ErrHolderLost)
	defer cancel()
	answer, sent, err := r.request(ctx, verb, data)
	if err != nil {
		failed.MaybeSent, failed.Err = sent, err
		return nil, failed
	}
	var a reply
	if err := jsonv2.Unmarshal(answer.Data, &a); err != nil {
		failed.MaybeSent, failed.Err = true, err
		return nil, failed
	}
	if a.Failure != nil {
		failed.MaybeSent, failed.Err = a.Failure.MaybeSent, a.Failure.err()
		return nil, failed
	}
	return a.Reply, nil
}

// request sends a request to the holder and waits for the reply. As long as no
// holder takes it, it tries again. It reports whether it may have been taken.
func (r *Remote) request(ctx context.Context, verb string, data []byte) (answer *nats.Msg, sent bool, err error) {
	b, lease, chat := r.Bus, r.lease(), tokenOf(r.ChatID)
	for {
		revision, err := b.find(ctx, lease, chat)
		if err != nil {
			return nil, false, withCause(ctx, err)
		}
		msg := r.message(ctx, b.holder(lease, revision, chat), verb, data)
		answer, err := b.conn.RequestMsgWithContext(ctx, msg)
		switch {
		case err == nil && answer.Header.Get(headerStatus) != statusNotTaken:
			return answer, true, nil
		case err == nil, errors.Is(err, nats.ErrNoResponders):
			if err := b.again(ctx, lease, revision); err != nil {
				return nil, false, withCause(ctx, err)
			}
		case ctx.Err() != nil:
			return nil, true, context.Cause(ctx)
		default:
			return nil, !errors.Is(err, nats.ErrMaxPayload) && !errors.Is(err, nats.ErrConnectionClosed), err
		}
	}
}

// withCause adds the error of the caller's own ctx.
func withCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, ErrHolderLost) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// message makes a request. The holder is given a little less time than there
// is, so that its reply can still arrive.
func (r *Remote) message(ctx context.Context, subject, verb string, data []byte) *nats.Msg {
	msg := nats.NewMsg(subject)
	msg.Data = data
	msg.Header.Set(headerVerb, verb)
	if end, ok := ctx.Deadline(); ok {
		msg.Header.Set(headerTime, strconv.FormatInt(time.Until(end).Milliseconds()*9/10, 10))
	}
	return msg
}
