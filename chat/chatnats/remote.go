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
	// ErrNoHolder: no holder of the lease replied, and nothing was sent.
	ErrNoHolder = errors.New("chatnats: no holder of the chat")

	// ErrHolderLost: the holder did not reply in time, or lost its lease.
	ErrHolderLost = errors.New("chatnats: the holder is lost")

	// ErrOtherChat: the request is for another chat than the Remote's.
	ErrOtherChat = errors.New("chatnats: the request is about another chat")
)

// A RemoteError reports a failed call or question of a [Remote].
type RemoteError struct {
	Verb      string // the method that failed, such as "send" or "ask"
	MaybeSent bool   // false: the request was not sent to the backend
	Err       error
}

func (e *RemoteError) Error() string {
	return fmt.Sprintf("chatnats: remote %s: %v", e.Verb, e.Err)
}

// Unwrap returns the cause.
func (e *RemoteError) Unwrap() error { return e.Err }

// A Remote sends requests in a chat through the holder, the instance that has
// the socket and runs [Serve]. Its methods correspond to those of chat.Client.
// They wait for the holder until Deadline has passed or ctx ends, and return a
// [*RemoteError]. A request that a holder did not accept goes to the next
// holder. A Remote is safe for concurrent use; its fields must not change after
// the first use.
type Remote struct {
	Bus *Bus

	// ChatID is the chat of the requests.
	ChatID events.ID

	// Lease is the id that the holder passed to RunWithLease. Default: ChatID.
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

// SendMessage sends a user's message; see chat.Client.SendMessage.
func (r *Remote) SendMessage(ctx context.Context, m events.UserMessage) error {
	setDefault(&m.ChatID, r.ChatID)
	_, err := r.call(ctx, verbSend, m)
	return err
}

// Deliver sends a message until the backend acknowledges it, and returns the
// acknowledgement; see chat.Client.Deliver.
func (r *Remote) Deliver(ctx context.Context, m events.UserMessage) (json.RawMessage, error) {
	setDefault(&m.ChatID, r.ChatID)
	return r.call(ctx, verbDeliver, m)
}

// TypingStart reports that a user started typing.
func (r *Remote) TypingStart(ctx context.Context, userID events.ID) error {
	_, err := r.call(ctx, verbTypingStart, events.Typing{ChatID: r.ChatID, UserID: userID})
	return err
}

// TypingStop reports that a user stopped typing.
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

// MarkRead reports the messages that a user has read.
func (r *Remote) MarkRead(ctx context.Context, read events.Read) error {
	setDefault(&read.ChatID, r.ChatID)
	_, err := r.call(ctx, verbRead, read)
	return err
}

// Emit sends any event. The payload must encode as a JSON object, or be nil. A
// chatId in it must be that of the Remote. See chat.Client.Emit.
func (r *Remote) Emit(ctx context.Context, event string, payload any) error {
	raw, err := jsonv2.Marshal(payload)
	if err != nil {
		return &RemoteError{Verb: verbEmit, Err: err}
	}
	_, err = r.call(ctx, verbEmit, emission{event, raw})
	return err
}

// call calls a method through the holder and returns the reply.
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

// request sends a request to the holder and waits for the reply. It tries again
// until a holder accepts the request. sent reports whether a holder may have
// accepted it.
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

// withCause adds the error of the caller's ctx.
func withCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, ErrHolderLost) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// message returns a request. The holder gets a little less time than is left,
// so that its reply can still arrive.
func (r *Remote) message(ctx context.Context, subject, verb string, data []byte) *nats.Msg {
	msg := nats.NewMsg(subject)
	msg.Data = data
	msg.Header.Set(headerVerb, verb)
	if end, ok := ctx.Deadline(); ok {
		msg.Header.Set(headerTime, strconv.FormatInt(time.Until(end).Milliseconds()*9/10, 10))
	}
	return msg
}
