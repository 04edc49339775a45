package chat

import (
	"cmp"
	"sync"
	"sync/atomic"

	"github.com/seed67206a74/parley/events"
)

// answers knows the streams in flight, and which of them an event belongs to.
// The zero value is empty.
type answers struct {
	count atomic.Int32 // so that the reader need not lock when there are none

	mu      sync.Mutex
	streams map[string]*Stream // by request id
}

// add takes a stream in, unless its request id is taken.
func (a *answers) add(s *Stream) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, taken := a.streams[s.question.RequestID]; taken {
		return false
	}
	if a.streams == nil {
		a.streams = map[string]*Stream{}
	}
	a.streams[s.question.RequestID] = s
	a.count.Add(1)
	return true
}

func (a *answers) remove(s *Stream) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.streams[s.question.RequestID] == s {
		delete(a.streams, s.question.RequestID)
		a.count.Add(-1)
	}
}

func (a *answers) waiting() bool { return a.count.Load() > 0 }

// offer brings an event to the stream that it belongs to, if to any.
func (a *answers) offer(event events.Event) {
	if s := a.find(event.Envelope()); s != nil {
		s.receive(event)
	}
}

// find goes by the request id. An event without one belongs to the only
// question in flight in its chat, if that is the only one.
func (a *answers) find(e events.Envelope) *Stream {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e.RequestID != "" {
		return a.streams[e.RequestID]
	}
	var only *Stream
	for _, s := range a.streams {
		if chat := s.question.ChatID; !e.ChatID.IsZero() && !chat.IsZero() && chat != e.ChatID {
			continue
		}
		if only != nil {
			return nil
		}
		only = s
	}
	return only
}

// giveUp ends every stream whose question is out from this side, aborts
// included, and returns when that is done. What becomes of a question that is
// not out is Ask's to say, which still waits.
func (a *answers) giveUp() {
	a.mu.Lock()
	var all sync.WaitGroup
	for _, s := range a.streams {
		s.mu.Lock()
		asked := s.asked
		s.mu.Unlock()
		if asked {
			all.Go(func() { s.giveUp(cmp.Or(s.ctx.Err(), ErrStopped)) })
		}
	}
	a.mu.Unlock()
	all.Wait()
}
