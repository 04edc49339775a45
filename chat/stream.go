package chat

import (
	"cmp"
	"context"
	"iter"
	"sync"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
)

// What a stream holds at most, the bytes being those of all that its tokens
// carry. An answer that is longer ends it with ErrTooLong.
const (
	maxTokens = 1 << 16
	maxBytes  = 16 << 20
)

// A Stream is the answer to one question, as it comes in. It keeps the answer,
// so that a reader may come late, be slow, or not come at all, without holding
// anything up. Its methods are safe for concurrent use.
//
// The text of the final message is the answer; tokens are how it was put
// together. After a reconnect in the middle of an answer some may be missing.
//
// It ends with the final message, with an error of the backend (a
// [*events.AIError]), with the ctx of Ask, with [ErrStalled], [ErrTooLong], or
// with [ErrStopped] when the client does.
type Stream struct {
	client   *Client
	question Question
	ctx      context.Context // Ask's
	tokens   bus.Topic[events.AIToken]
	done     chan struct{} // closed when the answer has ended

	mu      sync.Mutex
	next    int  // the index after the highest that has come
	count   int  // tokens held
	bytes   int  // text held
	asked   bool // the question is out
	givenUp bool // takes no more tokens; an abort is on its way
	ended   bool
	message events.AIMessage
	err     error
	unwatch []func() bool // stops watching what may end the stream
	silence *time.Timer   // runs while nothing comes
}

func newStream(ctx context.Context, c *Client, q Question) *Stream {
	s := &Stream{client: c, question: q, ctx: ctx, done: make(chan struct{})}
	s.tokens.Name, s.tokens.Logger = "Stream", c.cfg.Conn.Logger
	s.tokens.Replay = maxTokens
	return s
}

// watch makes the end of ctx, the end of Run and a long silence end the stream,
// now that the question is out. None of them needs a goroutine until it
// happens.
func (s *Stream) watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = true
	if s.ended {
		return
	}
	life := s.client.lifetime()
	s.unwatch = []func() bool{
		context.AfterFunc(s.ctx, func() { s.giveUp(s.ctx.Err()) }),
		context.AfterFunc(life, func() { s.giveUp(cmp.Or(s.ctx.Err(), context.Cause(life))) }),
	}
	if timeout := s.client.cfg.StallTimeout; timeout > 0 {
		s.silence = time.AfterFunc(timeout, func() { s.giveUp(ErrStalled) })
	}
}

// giveUp ends the stream from this side: it aborts the answer, and returns
// when the stream has ended.
func (s *Stream) giveUp(err error) {
	s.mu.Lock()
	first := !s.ended && !s.givenUp
	s.givenUp = true
	s.mu.Unlock()
	if first {
		s.abort()
		s.finish(events.AIMessage{}, err)
	}
	<-s.done
}

// finish ends the stream, once.
func (s *Stream) finish(m events.AIMessage, err error) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended, s.message, s.err = true, m, err
	unwatch, silence := s.unwatch, s.silence
	s.mu.Unlock()

	for _, stop := range unwatch {
		stop()
	}
	if silence != nil {
		silence.Stop()
	}
	s.client.answers.remove(s)
	s.tokens.Close()
	close(s.done)
}

// receive takes an event of this answer. It is called by the connection's
// reader only.
func (s *Stream) receive(event events.Event) {
	s.mu.Lock()
	if s.silence != nil {
		s.silence.Reset(s.client.cfg.StallTimeout)
	}
	s.mu.Unlock()

	switch event := event.(type) {
	case events.AIToken:
		s.token(event)
	case events.AIMessage:
		s.finish(event, nil)
	case events.AIError:
		s.finish(events.AIMessage{}, &event)
	}
}

// token takes a token in. Indices rise; one that does not comes again, or too
// late for its place, and is dropped.
func (s *Stream) token(t events.AIToken) {
	s.mu.Lock()
	wanted := t.Index >= s.next && !s.givenUp
	if wanted {
		s.next = t.Index + 1
		s.count++
		s.bytes += sizeOf(t)
	}
	tooLong := wanted && (s.count > maxTokens || s.bytes > maxBytes)
	s.mu.Unlock()

	switch {
	case tooLong:
		go s.giveUp(ErrTooLong) // the reader must not wait; this goroutine ends within abortTimeout
	case wanted:
		s.tokens.Publish(t)
	}
}

// sizeOf returns roughly how many bytes of text a token holds.
func sizeOf(t events.AIToken) int {
	n := len(t.Token) + len(t.RequestID) + len(t.TraceID) + len(t.ChatID.String())
	for name, value := range t.Extra {
		n += len(name) + len(value)
	}
	return n
}

// RequestID returns what the answer is known by.
func (s *Stream) RequestID() string { return s.question.RequestID }

// Tokens returns a channel of the answer's tokens from the first one on, their
// indices rising. It closes after the last one, or when the ctx of Ask ends;
// [Stream.Wait] says how the answer ended. Tokens that were lost with a
// connection leave a gap; the text of the final message is whole. Each call
// returns a channel of its own.
//
// Read the channel to its end, or end the ctx of Ask: one that is left before
// keeps a goroutine until then.
func (s *Stream) Tokens() <-chan events.AIToken {
	ctx := s.ctx
	select {
	case <-s.done:
		ctx = context.Background() // the answer is all there: nothing is left to cut short
	default:
	}
	return s.chanTokens(ctx)
}

func (s *Stream) chanTokens(ctx context.Context) <-chan events.AIToken {
	return s.tokens.Chan(ctx, bus.Limit(maxTokens), bus.Name(s.question.RequestID))
}

// Text returns the text of the answer, piece by piece as it comes. The last
// pair holds the error if the answer ended with one. An answer whose backend
// sends no tokens comes in one piece.
func (s *Stream) Text() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		// Not Ask's ctx: should that end after the answer has, and before it is
		// read, what is left to read is still the answer. When the stream ends,
		// so do its tokens.
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel() // a loop that breaks leaves nothing behind
		some := false
		for t := range s.chanTokens(ctx) {
			some = true
			if !yield(t.Token, nil) {
				return
			}
		}
		message, err := s.Wait()
		switch {
		case err != nil:
			yield("", err)
		case !some && message.Text != "":
			yield(message.Text, nil)
		}
	}
}

// Wait waits until the answer has ended and returns the final message, or the
// error that the answer ended with. It gives the same answer however often it
// is asked.
func (s *Stream) Wait() (events.AIMessage, error) {
	<-s.done
	return s.message, s.err
}
