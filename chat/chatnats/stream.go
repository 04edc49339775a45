package chatnats

import (
	"context"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

// An Answer has the methods that [Stream] and *chat.Stream share, so that the
// same code serves an answer that was asked for here and one that was asked for
// through a holder.
type Answer interface {
	RequestID() string
	Tokens() <-chan events.AIToken
	Text() iter.Seq2[string, error]
	Events() iter.Seq2[events.Event, error]
	Progress() chat.Progress
	Abort(reason string)
	Wait() (events.AIMessage, error)
}

var (
	_ Answer = (*Stream)(nil)
	_ Answer = (*chat.Stream)(nil)
)

// A Stream is the answer to a question that was asked through a [Remote]. It
// keeps the answer, so that a reader may come late, be slow, or not come at all.
// Its methods are safe for concurrent use.
type Stream struct {
	remote   *Remote
	ctx      context.Context
	question chat.Question
	asker    string
	inbox    string
	out      chan struct{} // closed when the question is out
	done     chan struct{} // closed when the answer has ended
	aborted  chan string   // the reason of Abort

	// Of the following goroutine until done is closed.
	revision uint64 // of the holder's tenure
	asked    bool
	part     []byte // the beginning of the next frame
	message  events.AIMessage
	err      error

	mu       sync.Mutex
	events   []events.Event
	text     strings.Builder
	progress chat.Progress
	begun    time.Time     // when the question was out
	changed  chan struct{} // closed when there is more; nil when no reader waits
}

// RequestID returns the request id of the question.
func (s *Stream) RequestID() string { return s.question.RequestID }

// Wait waits until the answer has ended and returns the final message, or the
// error that it ended with: one that chat.Stream.Wait returns, ctx's, or a
// [*RemoteError].
func (s *Stream) Wait() (events.AIMessage, error) {
	<-s.done
	return s.message, s.err
}

// Abort ends the stream with chat.ErrAborted, and has the holder ask the
// backend to stop answering. It returns when the stream has ended, within a second.
// Once the stream has ended it does nothing.
func (s *Stream) Abort(reason string) {
	select {
	case s.aborted <- reason:
		<-s.done
	case <-s.done:
	}
}

// Progress returns how far the answer has come. It waits for nothing.
// FirstToken is measured here: the way through NATS is part of it.
func (s *Stream) Progress() chat.Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.progress
	p.Text = s.text.String()
	select {
	case <-s.done:
		p.Ended = true
	default:
	}
	return p
}

// Tokens returns a channel of the answer's tokens from the first one on, in
// order, each once. It closes after the last one, or when the ctx of Ask ends. Read it
// to its end, or end that ctx.
func (s *Stream) Tokens() <-chan events.AIToken {
	tokens := make(chan events.AIToken, 64)
	go func() { // ends with the answer, once that is read, or with s.ctx
		defer close(tokens)
		for event := range s.Events() {
			token, ok := event.(events.AIToken)
			if !ok {
				continue
			}
			select {
			case tokens <- token:
			case <-s.ctx.Done():
				return
			}
		}
	}()
	return tokens
}

// Text returns the text of the answer, piece by piece as it comes. The last pair
// holds the error if the answer ended with one.
func (s *Stream) Text() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		some := false
		for event, err := range s.Events() {
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

// Events returns the events of the answer as they come, the final message last.
// The last pair holds the error if the answer ended with one.
func (s *Stream) Events() iter.Seq2[events.Event, error] {
	return func(yield func(events.Event, error) bool) {
		for read := 0; ; {
			s.mu.Lock()
			have := s.events
			if s.changed == nil {
				s.changed = make(chan struct{})
			}
			changed := s.changed
			s.mu.Unlock()
			for ; read < len(have); read++ {
				if !yield(have[read], nil) {
					return
				}
			}
			select {
			case <-changed:
			case <-s.done:
				s.mu.Lock()
				more := len(s.events) > read
				s.mu.Unlock()
				if more {
					continue
				}
				if s.err != nil {
					yield(nil, s.err)
				}
				return
			}
		}
	}
}

// add takes events in.
func (s *Stream) add(more []events.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, more...)
	for _, event := range more {
		switch event := event.(type) {
		case events.AIToken:
			s.text.WriteString(event.Token)
			s.progress.Tokens++
			s.first()
		case events.AIProcessing:
			s.progress.Status = event
		case events.AIMessage:
			s.progress.Usage = event.Usage
			s.first()
		}
	}
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// first notes when the first token or message has come.
func (s *Stream) first() {
	if s.progress.FirstToken == 0 {
		s.progress.FirstToken = max(time.Since(s.begun), 1)
	}
}

// isAsked notes that the question is out.
func (s *Stream) isAsked() {
	if s.asked {
		return
	}
	s.asked = true
	s.mu.Lock()
	s.begun = time.Now()
	s.mu.Unlock()
	close(s.out)
}
