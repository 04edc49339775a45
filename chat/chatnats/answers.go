package chatnats

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

// Defaults of [Answers].
const (
	DefaultAnswerAge         = 30 * time.Minute
	DefaultAnswerIdleTimeout = time.Minute
)

// Answers asks questions whose answers do not depend on the process that asks.
// It sends a question through the holder, and reads the answer from the stream
// in which [Forward] stores it. If the process ends, another one finds the
// answer and continues it, from the first event:
//
//	server, err := chathttp.New(&chatnats.Answers{Bus: b}, chathttp.Config{…})
//
// The backend must send the request id in each event of an answer, and the
// holder must forward all events of the chat. Its methods are safe for
// concurrent use; its fields must not change after the first use.
type Answers struct {
	Bus *Bus

	// Lease returns the id that the holder of a chat passed to RunWithLease.
	// Default: the chat.
	Lease func(chatID events.ID) events.ID

	// Age is how far back Find reads. Default: DefaultAnswerAge.
	Age time.Duration

	// IdleTimeout is how long an answer may be silent. Then it ends with
	// chat.ErrStalled, and Find does not find it any more. Answers that have
	// ended, or were stopped, are silent. Default: DefaultAnswerIdleTimeout.
	IdleTimeout time.Duration
}

// Ask asks a question, and returns when it was sent to the backend. ctx also
// bounds the answer: when ctx ends first, the backend is asked to stop. Ask
// returns a [*RemoteError], an error of JetStream, or chat.ErrNoUser.
func (a *Answers) Ask(ctx context.Context, q chat.Question) (*Stream, error) {
	if q.UserID.IsZero() {
		return nil, chat.ErrNoUser
	}
	setDefault(&q.MessageID, rand.Text())
	setDefault(&q.RequestID, rand.Text())
	extra, err := extraOf(q.Meta)
	if err != nil {
		return nil, &RemoteError{Verb: verbAsk, Err: err}
	}
	r, err := a.reader(ctx, q, SubscribeConfig{})
	if err != nil {
		return nil, err
	}
	err = r.stream.remote.SendMessage(ctx, events.UserMessage{
		ChatID: q.ChatID, TraceID: q.TraceID, RequestID: q.RequestID,
		MessageID: q.MessageID, UserID: q.UserID, Text: q.Text, Parts: q.Parts,
		Extra: extra,
	})
	if err != nil {
		r.stop()
		return nil, err
	}
	r.stream.isAsked()
	go r.run() // ends with the answer, or with ctx
	return r.stream, nil
}

// extraOf returns the Meta of a question as fields of its message.
func extraOf(meta map[string]any) (map[string]json.RawMessage, error) {
	extra := map[string]json.RawMessage{}
	for name, value := range meta {
		encoded, err := jsonv2.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("chatnats: Meta[%q]: %w", name, err)
		}
		extra[name] = json.RawMessage(encoded)
	}
	return extra, nil
}

// Find returns the last answer in a chat whose request id satisfies own, with
// all of its events. ok is false if there is none, or if it has been silent for
// IdleTimeout. ctx also bounds the answer, as in Ask.
func (a *Answers) Find(ctx context.Context, chatID events.ID, own func(requestID string) bool) (answer *Stream, ok bool, err error) {
	last, err := a.Bus.stream.GetLastMsgForSubject(ctx, a.Bus.chat(chatID))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("chatnats: finding an answer: %w", err)
	}
	if time.Since(last.Time) > a.idleTimeout() {
		return nil, false, nil
	}
	r, err := a.reader(ctx, chat.Question{ChatID: chatID}, SubscribeConfig{Time: time.Now().Add(-cmp.Or(a.Age, DefaultAnswerAge))})
	if err != nil {
		return nil, false, err
	}
	found, err := r.find(last.Sequence, own)
	if err != nil || !found {
		r.stop()
		return nil, false, err
	}
	r.stream.isAsked()
	go r.run() // ends with the answer, or with ctx
	return r.stream, true, nil
}

func (a *Answers) idleTimeout() time.Duration {
	return cmp.Or(a.IdleTimeout, DefaultAnswerIdleTimeout)
}

// findTimeout ends the reading of Find if no event arrives. The last stored
// event never does if it was late, because a Feed drops the late events of a
// former holder. It is long, because with a slow server Find must not report an
// answer as missing.
const findTimeout = 10 * time.Second

// A storedReader reads an answer from the stored events of its chat.
type storedReader struct {
	stream     *Stream
	idle       time.Duration
	deliveries <-chan Delivery
	gaps       <-chan Gap
	ran        chan error         // the result of Feed.Run
	cancel     context.CancelFunc // ends Feed.Run

	earlier []Delivery // of the answer, received by find
}

func (a *Answers) reader(ctx context.Context, q chat.Question, cfg SubscribeConfig) (*storedReader, error) {
	remote := &Remote{Bus: a.Bus, ChatID: q.ChatID}
	if a.Lease != nil {
		remote.Lease = a.Lease(q.ChatID)
	}
	cfg.Chats = []events.ID{q.ChatID}
	feed, err := Subscribe(ctx, a.Bus, cfg)
	if err != nil {
		return nil, err
	}
	r := &storedReader{idle: a.idleTimeout(), ran: make(chan error, 1)}
	r.stream = &Stream{
		remote: remote, ctx: ctx, question: q,
		done: make(chan struct{}), out: make(chan struct{}), aborted: make(chan string),
	}
	var reading context.Context
	reading, r.cancel = context.WithCancel(ctx)
	r.deliveries = feed.Deliveries.Chan(reading, bus.OnOverflow(bus.Block)) // it is the only reader
	r.gaps = feed.Gaps.Chan(reading)
	go func() { r.ran <- feed.Run(reading) }() // ends with stop
	return r, nil
}

// stop ends the feed.
func (r *storedReader) stop() {
	r.cancel()
	<-r.ran
}

// find reads up to a sequence, and chooses the last request that satisfies own.
func (r *storedReader) find(last uint64, own func(requestID string) bool) (found bool, err error) {
	answers := map[string][]Delivery{}
	var newest string
	for {
		d, err := r.next(time.After(findTimeout))
		if errors.Is(err, chat.ErrStalled) {
			break
		}
		if err != nil {
			return false, err
		}
		id := d.Event.Envelope().RequestID
		if id != "" && isOfAnswer(d.Event) && own(id) {
			if answers[id] == nil {
				newest = id
			}
			answers[id] = append(answers[id], d)
		}
		if d.Sequence >= last {
			break
		}
	}
	r.stream.question.RequestID, r.earlier = newest, answers[newest]
	return newest != "" && time.Since(r.earlier[len(r.earlier)-1].Time) <= r.idle, nil
}

// isOfAnswer reports whether an event is a part of an answer.
func isOfAnswer(event events.Event) bool {
	return slices.Contains([]events.Key{
		events.KeyAIProcessing, events.KeyAIToken, events.KeyAIMessage, events.KeyAIError, events.KeyAIToolCall, events.KeyAIToolResult,
	}, event.Key())
}

// errMissing: the stream has dropped events of the chat.
var errMissing = errors.New("chatnats: events of the answer are missing in the stream")

// next returns the next event of the chat. Its error is that of the ctx of the
// answer, chat.ErrStalled, chat.ErrAborted, or a *RemoteError.
func (r *storedReader) next(stalled <-chan time.Time) (Delivery, error) {
	lost := func(err error) error { return &RemoteError{Verb: verbAsk, MaybeSent: true, Err: err} }
	select {
	case d, ok := <-r.deliveries:
		if !ok {
			err := <-r.ran
			r.ran <- nil // for stop
			if r.stream.ctx.Err() != nil {
				return d, r.stream.ctx.Err()
			}
			return d, lost(errors.Join(errMissing, err))
		}
		return d, nil
	case _, ok := <-r.gaps:
		if !ok {
			r.gaps = nil
			return r.next(stalled)
		}
		return Delivery{}, lost(errMissing)
	case <-stalled:
		return Delivery{}, chat.ErrStalled
	case <-r.stream.ctx.Done():
		return Delivery{}, r.stream.ctx.Err()
	case reason := <-r.stream.aborted:
		r.abort(reason)
		return Delivery{}, chat.ErrAborted
	}
}

// run reads the answer until it ends.
func (r *storedReader) run() {
	s := r.stream
	defer close(s.done)
	defer r.stop()
	for _, d := range r.earlier {
		if r.take(d) {
			return
		}
	}
	r.earlier = nil
	silence := time.NewTimer(r.idle)
	defer silence.Stop()
	for {
		d, err := r.next(silence.C)
		if err != nil {
			if s.ctx.Err() != nil {
				r.abort("")
			}
			s.err = err
			return
		}
		if d.Event.Envelope().RequestID != s.question.RequestID || !isOfAnswer(d.Event) {
			continue
		}
		silence.Reset(r.idle)
		if r.take(d) {
			return
		}
	}
}

// take adds an event, and reports whether the answer has ended.
func (r *storedReader) take(d Delivery) (ended bool) {
	s := r.stream
	switch event := d.Event.(type) {
	case events.AIError:
		s.err = &event
		return true
	case events.AIMessage:
		s.message, ended = event, true
	}
	if err := s.add([]events.Event{d.Event}); err != nil {
		s.err = err
		r.abort("")
		return true
	}
	return ended
}

// abort asks the backend to stop, and waits for a second at most.
func (r *storedReader) abort(reason string) {
	s := r.stream
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), time.Second)
	defer cancel()
	// After an error the backend continues.
	_ = s.remote.Abort(ctx, events.Abort{RequestID: s.question.RequestID, Reason: reason})
}
