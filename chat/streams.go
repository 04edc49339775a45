package chat

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// streams holds the open streams and finds the stream of an event.
type streams struct {
	cfg       StreamConfig
	conn      streamConn
	observers *observers // nil for none

	count    atomic.Int32 // length of byRequest
	used     atomic.Bool  // a stream was added
	followed atomic.Bool  // events without requestId matter even if count is 0

	answered, failed atomic.Uint64 // ended streams since New
	runs             atomic.Int64  // Runs that have returned; grows under mu

	mu        sync.Mutex // taken before that of a Stream
	byRequest map[string]*Stream
	stopped   error // of the streams that were open when the last Run returned

	// For answers without requestId, see answers.go.
	names           bool                // the backend has used a request id
	omits           bool                // the backend has left a request id out
	byChat          map[string]*answers // by the text of the chat's id
	unnamed         int                 // number of open streams in byChat
	others          int                 // number of others in byChat
	grown, grownAny uint64              // number of others since New; of those for any chat
	abandoned       map[string]*other   // by request id
	messages        map[string]int      // number of own messages in byChat, by message id
	fewer           chan struct{}       // closed when an other is removed; nil if not needed
	swept           time.Time           // when all others were last checked for their expiry
	early           int                 // messages sent before the first stream
	wroteAt         time.Time           // when the last of them was sent
	closed          bool
}

// streamConn has the methods of the client that streams need. None of them
// calls back into a stream, except ask.
type streamConn interface {
	// State returns the state of the connection.
	State() conn.State

	// Ready waits until the connection is Ready.
	Ready(ctx context.Context) error

	// ask sends the question of a stream.
	ask(ctx context.Context, s *Stream) error

	// sendAbort asks the backend to stop an answer, if there is a session. It
	// returns when the abort is written, within abortTimeout.
	sendAbort(a events.Abort)

	// cancelTools cancels the tool calls of an answer.
	cancelTools(a events.Abort)
}

// add adds a stream. It reports false if another stream has its request id.
func (ss *streams) add(s *Stream) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if _, taken := ss.byRequest[s.question.RequestID]; taken {
		return false
	}
	ss.begin()
	if ss.byRequest == nil {
		ss.byRequest = map[string]*Stream{}
	}
	ss.byRequest[s.question.RequestID] = s
	ss.count.Add(1)
	return true
}

// remove removes a stream that has ended, with or without its answer.
func (ss *streams) remove(s *Stream, answered bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(ss.byRequest, s.question.RequestID)
	ss.count.Add(-1)
	ss.abandon(s, answered)
}

// close ends the waits for other answers.
func (ss *streams) close() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.closed = true
	if ss.fewer != nil {
		close(ss.fewer)
		ss.fewer = nil
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

// active reports whether streams need the events of answers.
func (ss *streams) active() bool { return ss.count.Load() > 0 || ss.followed.Load() }

// updateFollowed updates followed. mu is held.
func (ss *streams) updateFollowed() { ss.followed.Store(ss.omits || ss.others > 0 || ss.early > 0) }

// offer passes an event that arrived in the given epoch to its stream. It
// returns the stream, or nil if there is none.
func (ss *streams) offer(event events.Event, epoch uint64) *Stream {
	var s *Stream
	var ambiguous []*Stream
	if m, ok := event.(events.ChatMessage); ok {
		ss.posted(m)
	} else if id := event.Envelope().RequestID; id != "" {
		s = ss.named(id)
	} else {
		s, ambiguous = ss.anonymous(event, event.Envelope().ChatID)
	}
	if s != nil {
		s.receive(event, epoch)
	}
	for _, s := range ambiguous {
		s.fail(ErrAmbiguous)
	}
	return s
}

// offerToken is offer for a token with a request id, without the allocation of
// an events.Event.
func (ss *streams) offerToken(t *events.AIToken, epoch uint64) *Stream {
	s := ss.named(t.RequestID)
	if s != nil {
		s.receiveToken(t, epoch)
	}
	return s
}

// unreadable ends the stream of an event that could not be decoded, but whose
// envelope is known as far as it could be read.
func (ss *streams) unreadable(event events.Event, envelope events.Envelope, err error) {
	var s *Stream
	if envelope.RequestID != "" {
		s = ss.named(envelope.RequestID)
	} else {
		s, _ = ss.anonymous(event, envelope.ChatID)
	}
	if s != nil {
		s.fail(err)
	}
}

// named returns the stream with a request id, or nil.
func (ss *streams) named(id string) *Stream {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.byRequest[id]
	if s != nil && !s.named {
		s.named, ss.names = true, true
		ss.leave(s)
	}
	if o := ss.abandoned[id]; o != nil {
		ss.names = true
		ss.forget(o)
		ss.tidy(o.chat)
	}
	if d := ss.cfg.AbandonedTimeout; ss.others > 0 && d >= 0 && time.Since(ss.swept) > d {
		ss.swept = time.Now()
		for chat := range ss.byChat {
			ss.expire(chat)
		}
	}
	return s
}

// sameChat reports whether two ids are those of the same chat: they have the
// same text. The zero ID matches any chat.
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
	var all []*Stream
	if abort.RequestID == "" {
		all = ss.filter(func(s *Stream) bool { return sameChat(abort.ChatID, s.question.ChatID) })
	} else if s := ss.find(abort.RequestID); s != nil {
		all = append(all, s)
	}
	for _, s := range all {
		if s.isOut() {
			s.finish(events.AIMessage{}, ErrAborted)
		}
	}
}

// find returns the stream with a request id, or nil.
func (ss *streams) find(requestID string) *Stream {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.byRequest[requestID]
}
