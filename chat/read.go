package chat

import (
	"context"
	"iter"
	"time"

	"github.com/seed67206a74/parley/events"
)

// Tokens returns a new channel with all tokens of the answer, from the first,
// in the order of their indices, each once. The channel is closed after the
// last token, or when the ctx of Ask ends. [Stream.Wait] then returns the
// result.
//
// Read the channel to its end, or cancel the ctx of Ask: until then a goroutine
// writes to it.
func (s *Stream) Tokens() <-chan events.AIToken {
	select {
	case <-s.done: // the answer is complete: no goroutine is needed
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
	go func() { // ends when the whole answer is read, or with s.ctx
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

// Text iterates over the text of the answer, one token at a time as they
// arrive. If the answer ends with an error, the last pair has the error. If the
// backend sends no tokens, the text of the final message is yielded.
func (s *Stream) Text() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		some := false
		// Not Ask's ctx: an answer that ended before that ctx can still be read
		// to its end. If the ctx ends first, it ends the stream.
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

// Events iterates over all events of the answer as they arrive. Tokens are in
// order, with status, tool calls and tool results at their places among them.
// The final message is last. If the answer ends with an error, the last pair
// has the error.
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

// Progress is a snapshot of an answer.
type Progress struct {
	Text   string              // of all tokens so far
	Tokens int                 // their number
	Status events.AIProcessing // the last one; zero if none has arrived

	// FirstToken is the time from the question to the first token or message; 0
	// if none has arrived.
	FirstToken time.Duration

	Usage *events.Usage // from the final message; nil without it
	Ended bool
}

// Progress returns a snapshot of the answer. It does not block.
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
		// The first token may arrive before the question is known to be
		// written.
		p.FirstToken = max(l.begun.Sub(l.asked), 1)
	}
	return p
}

// follow calls token and other with the events of the answer, from the first,
// as they arrive. other may be nil. follow returns true when the answer has
// ended, and false when ctx has ended or one of the two has returned false.
func (s *Stream) follow(ctx context.Context, token func(events.AIToken) bool, other func(events.Event) bool) bool {
	tokensRead, othersRead := 0, 0
	for {
		s.mu.Lock()
		// Both are append-only: their current elements can be read without the
		// lock.
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
