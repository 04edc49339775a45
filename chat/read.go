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
		tokens := make(chan events.AIToken, s.answer.tokens.len)
		for i := range s.answer.tokens.len {
			tokens <- s.answer.tokens.at(i)
		}
		close(tokens)
		return tokens
	default:
	}
	tokens := make(chan events.AIToken, 64)
	go func() { // ends when the whole answer is read, or with s.ctx
		defer close(tokens)
		s.follow(s.ctx, func(t events.AIToken) bool {
			select { // costs half of a select with two channels
			case tokens <- t:
				return true
			default:
			}
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
		Tokens: s.answer.tokens.len,
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

// Follow iterates over the events of the answer like [Stream.Events], in
// batches, for a reader with a ctx. A batch has the events that have arrived
// since the last one, 256 at most. It is valid until the next iteration.
//
// If no event has arrived for a tick, Follow yields an empty batch. A tick of 0
// or less never passes. If the answer ends with an error, the last pair has the
// error. If ctx ends first, the last pair has ctx's error, and the answer
// continues.
func (s *Stream) Follow(ctx context.Context, tick time.Duration) iter.Seq2[[]events.Event, error] {
	return func(yield func([]events.Event, error) bool) {
		var silence *time.Timer
		var ticks <-chan time.Time
		if tick > 0 {
			silence = time.NewTimer(tick)
			defer silence.Stop()
			ticks = silence.C
		}
		changed, stop := s.watch()
		defer stop()
		var batch []events.Event
		for at := (place{}); ; {
			tokens, others, ended := s.snapshot()
			for batch = batch[:0]; len(batch) < maxBatch; {
				isToken, ok := at.step(tokens, others)
				if !ok {
					break
				}
				if isToken {
					batch = append(batch, tokens.at(at.tokens-1))
				} else {
					batch = append(batch, others[at.others-1].event)
				}
			}
			if len(batch) > 0 {
				if !yield(batch, nil) {
					return
				}
				continue
			}
			if ended {
				if message, err := s.Wait(); err != nil {
					yield(nil, err)
				} else {
					yield(append(batch, message), nil)
				}
				return
			}
			if silence != nil {
				silence.Reset(tick)
			}
			select {
			case <-changed:
			case <-ticks:
				if !yield(batch, nil) {
					return
				}
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

// maxBatch limits the memory that a reader of Follow needs.
const maxBatch = 256

// follow calls token and other with the events of the answer, from the first,
// as they arrive. other may be nil. follow returns true when the answer has
// ended, and false when ctx has ended or one of the two has returned false.
func (s *Stream) follow(ctx context.Context, token func(events.AIToken) bool, other func(events.Event) bool) bool {
	changed, stop := s.watch()
	defer stop()
	for at := (place{}); ; {
		tokens, others, ended := s.snapshot()
		if other == nil {
			others = nil
		}
		for isToken, ok := at.step(tokens, others); ok; isToken, ok = at.step(tokens, others) {
			if isToken {
				ok = token(tokens.at(at.tokens - 1))
			} else {
				ok = other(others[at.others-1].event)
			}
			if !ok {
				return false
			}
		}
		if ended {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// snapshot returns the events that have arrived, and whether the answer has
// ended. The events can be read without the lock, because both lists only grow.
func (s *Stream) snapshot() (tokens tokenList, others []placed, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answer.tokens, s.answer.others, s.phase == phaseEnded
}

// A place is the number of events that a reader has read.
type place struct{ tokens, others int }

// step moves to the next event and reports whether it is a token. ok is false
// if there is none.
func (p *place) step(tokens tokenList, others []placed) (isToken, ok bool) {
	switch {
	case p.others < len(others) && others[p.others].after <= p.tokens:
		p.others++
		return false, true
	case p.tokens < tokens.len:
		p.tokens++
		return true, true
	}
	return false, false
}
