package chat

import (
	"context"
	"iter"
	"time"

	"github.com/seed67206a74/parley/events"
)

// Tokens returns a channel of the answer's tokens from the first one on, in
// the order of their indices, each once. It closes after the last one, or when
// the ctx of Ask ends; [Stream.Wait] says how the answer ended. Each call
// returns a channel of its own.
//
// Read the channel to its end, or end the ctx of Ask: one that is left before
// keeps a goroutine until then.
func (s *Stream) Tokens() <-chan events.AIToken {
	select {
	case <-s.done: // it is all there: no goroutine is needed
		s.mu.Lock()
		defer s.mu.Unlock()
		tokens := make(chan events.AIToken, len(s.answer.tokens))
		for _, t := range s.answer.tokens {
			tokens <- t
		}
		close(tokens)
		return tokens
	default:
	}
	tokens := make(chan events.AIToken, 64)
	go func() { // ends with the answer, once that is read, or with s.ctx
		defer close(tokens)
		s.follow(s.ctx, func(t events.AIToken) bool {
			select {
			case tokens <- t:
				return true
			case <-s.ctx.Done():
				return false
			}
		}, nil)
	}()
	return tokens
}

// Text returns the text of the answer, piece by piece as it comes. The last
// pair holds the error if the answer ended with one. An answer whose backend
// sends no tokens comes in one piece.
func (s *Stream) Text() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		some := false
		// Not Ask's ctx: should that end after the answer has, and before it is
		// read, what is left to read is still the answer. When it ends before,
		// so does the stream.
		more := s.follow(context.Background(), func(t events.AIToken) bool {
			some = true
			return yield(t.Token, nil)
		}, nil)
		if !more {
			return
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

// Events returns everything that the backend says in its answer, as it comes:
// status, tool calls and results in their places between the tokens, the
// tokens in order, and the final message last. The last pair holds the error
// if the answer ended with one.
func (s *Stream) Events() iter.Seq2[events.Event, error] {
	return func(yield func(events.Event, error) bool) {
		more := s.follow(context.Background(),
			func(t events.AIToken) bool { return yield(t, nil) },
			func(e events.Event) bool { return yield(e, nil) })
		if !more {
			return
		}
		message, err := s.Wait()
		if err != nil {
			yield(nil, err)
			return
		}
		yield(message, nil)
	}
}

// Progress is how far an answer has come.
type Progress struct {
	Text       string              // of all tokens so far
	Tokens     int                 // how many there are
	Status     events.AIProcessing // the last one; zero when none has come
	FirstToken time.Duration       // from the question to the first token or message; 0 when none has come
	Usage      *events.Usage       // from the final message; nil without
	Ended      bool
}

// Progress returns how far the answer has come. It waits for nothing.
func (s *Stream) Progress() Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := Progress{
		Text:   s.answer.text.String(),
		Tokens: len(s.answer.tokens),
		Status: s.answer.status,
		Usage:  s.message.Usage,
		Ended:  s.phase == phaseEnded,
	}
	if l := s.limits; !l.begun.IsZero() && !l.asked.IsZero() {
		p.FirstToken = max(l.begun.Sub(l.asked), 1) // the answer may be faster than its question's return
	}
	return p
}

// follow hands out the answer from its beginning, as it comes, to token and,
// if that is not nil, to other. It returns true when the answer has ended, and
// false when ctx has or one of the two does not want more.
func (s *Stream) follow(ctx context.Context, token func(events.AIToken) bool, other func(events.Event) bool) bool {
	tokensRead, othersRead := 0, 0
	for {
		s.mu.Lock()
		// Only ever appended to: what is there now can be read without the lock.
		tokens, others, over := s.answer.tokens, s.answer.others, s.phase == phaseEnded
		if !over && s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()

		for tokensRead < len(tokens) || other != nil && othersRead < len(others) {
			if other != nil && othersRead < len(others) && others[othersRead].after <= tokensRead {
				othersRead++
				if !other(others[othersRead-1].event) {
					return false
				}
				continue
			}
			tokensRead++
			if !token(tokens[tokensRead-1]) {
				return false
			}
		}
		if over {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
