package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
)

// A reader receives tokens at a set rate.
type reader struct {
	*meter[events.AIToken]
	stop  context.CancelFunc
	pace  chan time.Duration // capacity 1: a new pause between two tokens
	words chan string        // capacity 1: the text of the last token
	last  string             // the last value from words
}

// A readerSetting configures the slow reader.
type readerSetting struct {
	On        bool    `json:"on"`
	Limit     int     `json:"limit"`
	Policy    string  `json:"policy"`
	PerSecond float64 `json:"perSecond"` // 0: stopped
}

func (r readerSetting) policy() (bus.Policy, error) {
	for p := bus.Fail; p <= bus.DropNewest; p++ {
		if p.String() == r.Policy {
			return p, nil
		}
	}
	return 0, fmt.Errorf("unknown policy %q", r.Policy)
}

func (r readerSetting) pause() time.Duration {
	if r.PerSecond <= 0 {
		return -1 // the reader is stopped
	}
	return time.Duration(float64(time.Second) / r.PerSecond)
}

// setReader starts the slow reader, changes its pace, or stops it. A change of
// the limit or the policy starts a new reader.
func (s *session) setReader(_ context.Context, set readerSetting) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	policy, err := set.policy()
	switch r := s.reader; {
	case !set.On:
		if r != nil {
			r.stop()
			s.reader = nil
		}
		return nil, nil
	case err != nil:
		return nil, err
	case set.Limit < 1 || set.Limit > 100_000 || !(set.PerSecond >= 0 && set.PerSecond <= 10_000):
		return nil, errors.New("the limit is from 1 to 100000, and tokens a second are from 0 to 10000")
	case r != nil && r.limit == set.Limit && r.policy == policy && r.Err() == nil:
		replace(r.pace, set.pause())
		return nil, nil
	case r != nil:
		r.stop()
	}
	ctx, stop := context.WithCancel(s.ctx)
	r := &reader{
		meter: subscribe(ctx, "slow reader", s.client.Tokens, set.Limit, policy, tokenKey),
		stop:  stop,
		pace:  make(chan time.Duration, 1),
		words: make(chan string, 1),
	}
	s.reader = r
	s.tasks.Go(func() { r.run(ctx, set.pause()) }) // ends with ctx, or when its channel closes
	return nil, nil
}

// run receives one token after each pause.
func (r *reader) run(ctx context.Context, pause time.Duration) {
	for {
		timer := time.NewTimer(max(pause, 0))
		for waiting := true; waiting; {
			var over <-chan time.Time // blocks while the reader is stopped
			if pause >= 0 {
				over = timer.C
			}
			select {
			case <-over:
				waiting = false
			case pause = <-r.pace:
				timer.Reset(max(pause, 0))
			case <-ctx.Done():
				timer.Stop()
				return
			}
		}
		select {
		case token, open := <-r.C():
			if !open {
				return
			}
			r.took(token)
			replace(r.words, token.Token)
		case pause = <-r.pace:
		case <-ctx.Done():
			return
		}
	}
}

// replace sends a value to a channel of capacity 1. It drops a value that is
// still in the channel.
func replace[T any](ch chan T, value T) {
	select {
	case <-ch:
	default:
	}
	select {
	case ch <- value:
	default: // another sender was faster
	}
}

// readReader returns the reading of the slow reader, if there is one.
func (s *session) readReader() (reading, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reader == nil {
		return reading{}, false
	}
	select {
	case s.reader.last = <-s.reader.words:
	default:
	}
	now := s.reader.read()
	now.Note = s.reader.last
	return now, true
}

func tokenKey(t events.AIToken) any { return [2]any{t.RequestID, t.Index} }
