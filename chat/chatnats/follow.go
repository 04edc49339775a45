package chatnats

import (
	"context"
	"iter"
	"time"

	"github.com/seed67206a74/parley/events"
)

// Follow iterates over the events of the answer like [Stream.Events], in
// batches, for a reader with a ctx. A batch has the events that have arrived
// since the last one, 256 at most. It must not be changed.
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
		for read, ended := 0, false; ; {
			s.mu.Lock()
			batch := s.events[read:min(len(s.events), read+maxBatch)]
			if s.changed == nil {
				s.changed = make(chan struct{})
			}
			changed := s.changed
			s.mu.Unlock()
			if read += len(batch); len(batch) > 0 {
				if !yield(batch, nil) {
					return
				}
				continue
			}
			if ended { // before the events were read: there are no more
				if s.err != nil {
					yield(nil, s.err)
				}
				return
			}
			if silence != nil {
				silence.Reset(tick)
			}
			select {
			case <-changed:
			case <-s.done:
				ended = true
			case <-ticks:
				if !yield(nil, nil) {
					return
				}
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

// maxBatch is the maximal length of a batch of Follow.
const maxBatch = 256
