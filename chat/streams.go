package chat

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// streams holds the open streams and finds the stream of an event.
type streams struct {
	cfg  StreamConfig
	conn streamConn

	count atomic.Int32 // length of byRequest; at 0 the reader does not lock

	answered, failed atomic.Uint64 // ended streams since New
	runs             atomic.Int64  // Runs that have returned; grows under mu

	mu        sync.Mutex // taken before that of a Stream
	byRequest map[string]*Stream
	abandoned []abandoned
	stopped   error // of the streams that were open when the last Run returned
}

// streamConn has the methods of the client that streams need. None of them
// calls back into a stream.
type streamConn interface {
	// State returns the state of the connection.
	State() conn.State

	// Ready waits until the connection is Ready.
	Ready(ctx context.Context) error

	// sendAbort asks the backend to stop an answer, if there is a session. It
	// returns when the abort is written, within abortTimeout.
	sendAbort(a events.Abort)

	// cancelTools cancels the tool calls of an answer.
	cancelTools(a events.Abort)
}

// abandoned is a question whose stream ended before its answer. A backend that
// leaves requestId out may still answer it, and that answer must not go to the
// stream of the next question.
type abandoned struct {
	chatID events.ID
	begun  bool // the first token has arrived
	until  time.Time
}

// abandonedTTL is how long an abandoned question is remembered.
const abandonedTTL = 5 * time.Second

// add adds a stream. It reports false if another stream has its request id.
func (ss *streams) add(s *Stream) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if _, taken := ss.byRequest[s.question.RequestID]; taken {
		return false
	}
	if ss.byRequest == nil {
		ss.byRequest = map[string]*Stream{}
	}
	ss.byRequest[s.question.RequestID] = s
	ss.count.Add(1)
	return true
}

// remove removes a stream that has ended. If events of its answer may still
// arrive, its question is remembered as abandoned.
func (ss *streams) remove(s *Stream, answered bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(ss.byRequest, s.question.RequestID)
	ss.count.Add(-1)
	if out, next := s.position(); out && !answered && !s.named {
		ss.expireAbandoned()
		ss.abandoned = append(ss.abandoned, abandoned{s.question.ChatID, next > 0, time.Now().Add(abandonedTTL)})
	}
}

// tally counts the end of a stream.
func (ss *streams) tally(err error) {
	if err == nil {
		ss.answered.Add(1)
	} else {
		ss.failed.Add(1)
	}
}

// expireAbandoned removes questions that were abandoned more than abandonedTTL
// ago. ss.mu is held.
func (ss *streams) expireAbandoned() {
	now := time.Now()
	ss.abandoned = slices.DeleteFunc(ss.abandoned, func(q abandoned) bool { return now.After(q.until) })
}

func (ss *streams) waiting() bool { return ss.count.Load() > 0 }

// offer passes an event that arrived in the given epoch to its stream. It
// returns the stream, or nil if there is none.
func (ss *streams) offer(event events.Event, epoch uint64) *Stream {
	s, ambiguous := ss.find(event)
	if s != nil {
		s.receive(event, epoch)
	}
	for _, s := range ambiguous {
		s.fail(ErrAmbiguous)
	}
	return s
}

// unreadable ends the stream of an event of which only some fields could be
// decoded.
func (ss *streams) unreadable(event events.Event, err error) {
	if s, _ := ss.find(event); s != nil {
		s.fail(err)
	}
}

// find returns the stream with the event's request id. An event without one
// belongs to the only open stream of its chat whose request id the backend has
// never used. If there are several and the event is part of an answer, find
// returns them as ambiguous.
func (ss *streams) find(event events.Event) (only *Stream, ambiguous []*Stream) {
	e := event.Envelope()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if e.RequestID != "" {
		s := ss.byRequest[e.RequestID]
		if s != nil {
			s.named = true
		}
		return s, nil
	}
	var candidates []*Stream
	for _, s := range ss.byRequest {
		if s.isOut() && !s.named && sameChat(s.question.ChatID, e.ChatID) {
			candidates = append(candidates, s)
		}
	}
	if len(candidates) == 1 {
		if s, sure := ss.unlessAbandoned(event, candidates[0]); sure {
			return s, nil
		}
	}
	switch event.(type) {
	case events.AIToken, events.AIMessage, events.AIError:
		return nil, candidates
	}
	return nil, nil
}

// unlessAbandoned returns s if an event without request id belongs to it, and
// nil if the event belongs to an abandoned question of the chat. It reports
// false if the event may belong to either. ss.mu is held.
func (ss *streams) unlessAbandoned(event events.Event, s *Stream) (only *Stream, sure bool) {
	ss.expireAbandoned()
	found, begun := false, true
	for _, q := range ss.abandoned {
		if sameChat(q.chatID, s.question.ChatID) {
			found = true
			begun = begun && q.begun
		}
	}
	if !found {
		return s, true
	}
	_, next := s.position()
	token, ok := event.(events.AIToken)
	switch {
	case !ok || next > 0: // the other question was abandoned after s had begun
		return nil, false
	case token.Index > 0:
		return nil, true // the middle of the abandoned answer
	case begun: // the beginning of an answer, and all abandoned ones have begun
		ss.abandoned = slices.DeleteFunc(ss.abandoned, func(q abandoned) bool { return sameChat(q.chatID, s.question.ChatID) })
		return s, true
	}
	return nil, false
}

// sameChat reports whether two ids are those of the same chat. The zero ID
// matches any chat.
func sameChat(a, b events.ID) bool { return a.IsZero() || b.IsZero() || a.Same(b) }

// all returns the streams whose question was written. Before that, Ask itself
// ends the stream.
func (ss *streams) all() []*Stream { return ss.filter((*Stream).isAsked) }

func (ss *streams) filter(keep func(*Stream) bool) []*Stream {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	var kept []*Stream
	for _, s := range ss.byRequest {
		if keep(s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// giveUp aborts every stream whose question was written, and ends it with err
// or the error of its own ctx. It returns when all have ended.
func (ss *streams) giveUp(err error) {
	var all sync.WaitGroup
	for _, s := range ss.all() {
		all.Go(func() { s.giveUp(cmp.Or(s.ctx.Err(), err), "") })
	}
	all.Wait()
}

// runEnded ends all streams after a Run that returned err. If Ask has not yet
// returned but its question was written, begin ends the stream.
func (ss *streams) runEnded(err error) {
	stopped := ErrStopped
	if err != nil {
		stopped = fmt.Errorf("%w: %w", ErrStopped, err)
	}
	ss.mu.Lock()
	ss.stopped = stopped
	ss.runs.Add(1)
	ss.mu.Unlock()
	ss.giveUp(stopped)
}

// stoppedSince returns the error of the streams that the last Run left open, or
// nil if no Run has returned since ss.runs was runs.
func (ss *streams) stoppedSince(runs int64) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.runs.Load() == runs {
		return nil
	}
	return ss.stopped
}

// connected calls StreamConfig.Resume for the streams that may lack events from
// before the epoch of a new session. ctx ends with the session, which is not
// Ready yet.
func (ss *streams) connected(ctx context.Context, epoch uint64) {
	if ss.cfg.Resume == nil {
		return
	}
	for _, s := range ss.filter(func(s *Stream) bool { return s.lacks(epoch) }) {
		go s.resume(ctx, epoch) // ends with the stream, and with the session
	}
}

// aborted ends the streams of an abort.
func (ss *streams) aborted(abort events.Abort) {
	for _, s := range ss.filter((*Stream).isOut) {
		if abort.RequestID == s.question.RequestID || abort.RequestID == "" && sameChat(abort.ChatID, s.question.ChatID) {
			s.finish(events.AIMessage{}, ErrAborted)
		}
	}
}
