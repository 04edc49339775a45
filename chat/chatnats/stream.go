package chatnats

import (
	"context"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/eventsize"
)

// An Answer has the methods that [Stream] and *chat.Stream share. Code that
// uses it works with the answers of a Remote and of a chat.Client.
type Answer interface {
	RequestID() string
	Tokens() <-chan events.AIToken
	Text() iter.Seq2[string, error]
	Events() iter.Seq2[events.Event, error]
	Follow(ctx context.Context, tick time.Duration) iter.Seq2[[]events.Event, error]
	Progress() chat.Progress
	Abort(reason string)
	Wait() (events.AIMessage, error)
}

var (
	_ Answer = (*Stream)(nil)
	_ Answer = (*chat.Stream)(nil)
)

// A Stream is the answer to a question that was asked through a [Remote] or
// [Answers]. It keeps the whole answer: a reader may start late or be slow, and
// none is required. An answer beyond the limits of a chat.Stream ends with
// chat.ErrTooLong. Its methods are safe for concurrent use.
type Stream struct {
	remote   *Remote
	ctx      context.Context
	question chat.Question
	asker    string
	inbox    string
	out      chan struct{} // closed when the question was sent
	done     chan struct{} // closed when the answer has ended
	aborted  chan string   // the reason of Abort

	// Owned by the goroutine of run until done is closed.
	revision uint64 // of the holder's tenure
	asked    bool
	part     []byte // the first parts of the next frame
	message  events.AIMessage
	err      error

	mu       sync.Mutex
	events   []events.Event
	bytes    int // the memory of events
	text     strings.Builder
	progress chat.Progress
	begun    time.Time     // when the question was sent
	changed  chan struct{} // closed when there is more; nil when no reader waits
}

// RequestID returns the request id of the question.
func (s *Stream) RequestID() string { return s.question.RequestID }

// Wait blocks until the answer ends. It returns the final message, or the error
// that ended the answer: an error of chat.Stream.Wait, the error of the ctx of
// Ask, or a [*RemoteError].
func (s *Stream) Wait() (events.AIMessage, error) {
	<-s.done
	return s.message, s.err
}

// Abort ends the stream with chat.ErrAborted, and the holder asks the backend
// to stop answering. Abort returns when the stream has ended, within about a
// second. It has no effect after the end.
func (s *Stream) Abort(reason string) {
	select {
	case s.aborted <- reason:
		<-s.done
	case <-s.done:
	}
}

// Progress returns the progress of the answer and does not block. FirstToken is
// measured in this process and includes the time that NATS takes.
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

// Tokens returns a channel that receives each token of the answer once, in
// order, from the first one. It is closed after the last token, or when the ctx
// of Ask ends. The caller must read it until it is closed, or end that ctx.
func (s *Stream) Tokens() <-chan events.AIToken {
	tokens := make(chan events.AIToken, 64)
	go func() { // ends when the answer is read, or s.ctx ends
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

// Text returns the text of the answer, piece by piece as it arrives. If the
// answer ends with an error, the last pair has it.
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

// Events returns the events of the answer as they arrive; the final message is
// the last. If the answer ends with an error, the last pair has it.
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

// Limits of a stream, as of a chat.Stream: the number of events before the
// final message, and their memory in bytes.
const (
	maxEvents = 2 << 16
	maxBytes  = 16 << 20
)

// add appends events, and wakes up the readers. It returns chat.ErrTooLong if
// these events exceed a limit; then none of them is added.
func (s *Stream) add(more []events.Event) error {
	count, size := 0, 0
	for _, event := range more {
		switch event := event.(type) {
		case events.AIMessage: // the last event
			continue
		case events.AIToken:
			size += len(event.Token) // it is in the text as well
		}
		count++
		size += eventsize.Of(event)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events)+count > maxEvents || s.bytes+size > maxBytes {
		return chat.ErrTooLong
	}
	s.bytes += size
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
	return nil
}

// first records the time of the first token or message.
func (s *Stream) first() {
	if s.progress.FirstToken == 0 {
		s.progress.FirstToken = max(time.Since(s.begun), 1)
	}
}

// isAsked records that the question was sent.
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
