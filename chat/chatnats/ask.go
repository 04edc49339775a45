package chatnats

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"strconv"
	"strings"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

// Ask asks a question through the holder, and returns its answer when the
// question is out. ctx is the answer's as well: when it ends before the answer does,
// the holder sends ai:abort, and the answer ends with ctx's error.
//
// A lost connection to NATS is bridged: the holder is asked for the frames that
// are missing. A holder that is silent for Deadline, or another one that does not
// know the question, ends the answer with [ErrHolderLost]; what that
// holder's backend still says is on the stream, under the request's id.
func (r *Remote) Ask(ctx context.Context, q chat.Question) (*Stream, error) {
	setDefault(&q.MessageID, rand.Text())
	setDefault(&q.RequestID, rand.Text())
	setDefault(&q.ChatID, r.ChatID)
	a := &Stream{remote: r, ctx: ctx, question: q, inbox: r.Bus.conn.NewInbox(), done: make(chan struct{}), out: make(chan struct{})}
	frames := make(chan *nats.Msg, 4096)
	sub, err := r.Bus.conn.ChanSubscribe(a.inbox+".*", frames)
	if err != nil {
		return nil, &RemoteError{Verb: verbAsk, Err: err}
	}
	go func() { // ends with the answer
		defer func() { _ = sub.Unsubscribe() }()
		a.follow(frames)
	}()
	select {
	case <-a.out:
		return a, nil
	case <-a.done:
		if a.asked {
			return a, nil
		}
		return nil, a.err
	}
}

// A Stream is the answer to a question that was asked through a [Remote]. It
// keeps all of it, so that a reader may come late, be slow, or not come at all. Its
// methods are safe for concurrent use.
type Stream struct {
	remote   *Remote
	ctx      context.Context
	question chat.Question
	inbox    string
	out      chan struct{} // closed when the question is out
	done     chan struct{} // closed when the answer has ended

	// Of the following goroutine until done is closed.
	next    int // the frame that comes next
	asked   bool
	message events.AIMessage
	err     error

	mu      sync.Mutex
	events  []events.Event
	changed chan struct{} // closed when there is more; nil when nobody waits
}

// RequestID returns what the answer is known by.
func (a *Stream) RequestID() string { return a.question.RequestID }

// Wait waits until the answer has ended and returns the final message, or the
// error that it ended with: one that chat.Stream.Wait returns, ctx's, or a
// [*RemoteError] with [ErrHolderLost].
func (a *Stream) Wait() (events.AIMessage, error) {
	<-a.done
	return a.message, a.err
}

// Tokens returns a channel of the answer's tokens from the first one on, in
// order, each once. It closes after the last one, or when the ctx of Ask ends. Read it
// to its end, or end that ctx.
func (a *Stream) Tokens() <-chan events.AIToken {
	tokens := make(chan events.AIToken, 64)
	go func() { // ends with the answer, once that is read, or with a.ctx
		defer close(tokens)
		for event := range a.Events() {
			token, ok := event.(events.AIToken)
			if !ok {
				continue
			}
			select {
			case tokens <- token:
			case <-a.ctx.Done():
				return
			}
		}
	}()
	return tokens
}

// Text returns the text of the answer, piece by piece as it comes. The last pair
// holds the error if the answer ended with one.
func (a *Stream) Text() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		some := false
		for event, err := range a.Events() {
			switch event := event.(type) {
			case nil:
				yield("", err)
				return
			case events.AIToken:
				some = true
				if !yield(event.Token, nil) {
					return
				}
			case events.AIMessage:
				if !some && event.Text != "" && !yield(event.Text, nil) {
					return
				}
			}
		}
	}
}

// Events returns everything that the backend says in its answer, as it comes,
// the final message last. The last pair holds the error if the answer ended with
// one.
func (a *Stream) Events() iter.Seq2[events.Event, error] {
	return func(yield func(events.Event, error) bool) {
		for read := 0; ; {
			a.mu.Lock()
			have := a.events
			if a.changed == nil {
				a.changed = make(chan struct{})
			}
			changed := a.changed
			a.mu.Unlock()
			for ; read < len(have); read++ {
				if !yield(have[read], nil) {
					return
				}
			}
			select {
			case <-changed:
			case <-a.done:
				a.mu.Lock()
				more := len(a.events) > read
				a.mu.Unlock()
				if more {
					continue
				}
				if a.err != nil {
					yield(nil, a.err)
				}
				return
			}
		}
	}
}

func (a *Stream) add(event events.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, event)
	if a.changed != nil {
		close(a.changed)
		a.changed = nil
	}
}

// errMissing says that frames are missing.
var errMissing = errors.New("chatnats: frames are missing")

// follow asks the question and takes the frames of the answer.
func (a *Stream) follow(frames <-chan *nats.Msg) {
	defer close(a.done)
	deadline := a.remote.deadline()
	heard := time.Now()
	tick := time.NewTicker(deadline / 8)
	defer tick.Stop()
	asking, cancel := context.WithTimeoutCause(a.ctx, deadline, ErrHolderLost)
	err := a.ask(asking, false)
	cancel()
	if err != nil {
		a.err = err
		if a.ctx.Err() != nil {
			a.abort() // it may have arrived
		}
		return
	}
	var wanted int      // the frame that was asked for again
	var since time.Time // and when
	for {
		again := false
		select {
		case msg := <-frames:
			heard = time.Now()
			if strings.HasSuffix(msg.Subject, ".beat") {
				_ = msg.Respond(nil)
				continue
			}
			ended, err := a.take(msg)
			if ended {
				return
			}
			// Each frame behind a gap shows it: once is enough.
			again = err != nil && (a.next != wanted || time.Since(since) > deadline/8)
		case <-tick.C:
			switch silent := time.Since(heard); {
			case silent > deadline:
				a.fail(ErrHolderLost)
				return
			case silent > deadline/4:
				again = true
			}
		case <-a.ctx.Done():
			a.abort()
			a.err = a.ctx.Err()
			return
		}
		if again {
			wanted, since = a.next, time.Now()
			asking, cancel := context.WithTimeoutCause(a.ctx, deadline/8, ErrHolderLost)
			_ = a.ask(asking, true) // if it does not arrive, the silence goes on
			cancel()
		}
	}
}

// ask brings the question to the holder; or, to resume, the wish for the
// frames from the next one on.
func (a *Stream) ask(ctx context.Context, resume bool) error {
	data, err := jsonv2.Marshal(asking{a.question, a.next, resume})
	if err != nil {
		return &RemoteError{Verb: verbAsk, Err: err}
	}
	if _, err := a.remote.request(ctx, verbAsk, data, a.inbox); err != nil {
		return &RemoteError{Verb: verbAsk, MaybeSent: !errors.Is(err, ErrNoHolder), Err: err}
	}
	return nil
}

// take takes a frame, and reports whether it was the last one; or that one
// before it is missing.
func (a *Stream) take(msg *nats.Msg) (ended bool, err error) {
	n, err := strconv.Atoi(msg.Header.Get(headerFrame))
	switch {
	case err != nil || n > a.next:
		return false, errMissing
	case n < a.next:
		return false, nil // it has come before
	}
	a.next++
	switch kind := msg.Header.Get(headerKind); kind {
	case frameAsked:
		a.asked = true
		close(a.out)
	case frameEnd:
		var how answer
		err := jsonv2.Unmarshal(msg.Data, &how)
		switch {
		case err != nil:
			a.fail(err)
		case how.Failure == nil:
		case !a.asked, how.Failure.Known == ErrHolderLost.Error():
			a.err = &RemoteError{Verb: verbAsk, MaybeSent: how.Failure.MaybeSent, Err: how.Failure.err()}
		default:
			a.err = how.Failure.err()
		}
		return true, nil
	default:
		event, err := events.Decode(events.Key(kind), msg.Data)
		if err != nil {
			a.fail(err)
			return true, nil
		}
		if m, ok := event.(events.AIMessage); ok {
			a.message = m
		}
		a.add(event)
	}
	return false, nil
}

func (a *Stream) fail(err error) { a.err = &RemoteError{Verb: verbAsk, MaybeSent: true, Err: err} }

// abort tells the holder that the answer is no longer wanted, for a second at
// most.
func (a *Stream) abort() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), time.Second)
	defer cancel()
	_ = a.remote.Abort(ctx, events.Abort{ // else the holder notices that nobody is there
		ChatID: a.question.ChatID, TraceID: a.question.TraceID, RequestID: a.question.RequestID,
	})
}
