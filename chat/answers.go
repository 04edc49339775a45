package chat

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed67206a74/parley/events"
)

// Defaults of [StreamConfig].
const (
	DefaultFirstTokenTimeout = 2 * time.Minute
	DefaultIdleTimeout       = time.Minute
	DefaultOfflineTimeout    = 30 * time.Second
	DefaultGapTimeout        = 2 * time.Second
	DefaultReorderLimit      = 1024
)

// StreamConfig says how the answers to questions are put together, and when
// they are given up. A negative value means no limit.
type StreamConfig struct {
	// FirstTokenTimeout ends a Stream with ErrNoToken when the question has been out
	// for that long, and neither token nor message has come.
	// Default: DefaultFirstTokenTimeout.
	FirstTokenTimeout time.Duration

	// IdleTimeout ends a Stream with ErrStalled when for that long nothing has
	// come for it, while the client was connected. Default: DefaultIdleTimeout.
	IdleTimeout time.Duration

	// OfflineTimeout ends the open Streams with ErrOffline when the client has lost
	// its connection for that long. Default: DefaultOfflineTimeout.
	OfflineTimeout time.Duration

	// GapTimeout is how long a token that is missing is waited for, while later ones
	// are there and those before it have come. Default: DefaultGapTimeout.
	GapTimeout time.Duration

	// OnGap says what happens then. Default: FillGap.
	OnGap GapPolicy

	// ReorderLimit is how many tokens that come before their turn are held back; one
	// more counts as the end of the wait. No limit means that of the whole
	// answer. Default: DefaultReorderLimit.
	ReorderLimit int

	// Resume is called for each open Stream when the client is connected
	// again and the server has not resumed the session: to ask the backend for what
	// follows the tokens that have come, for example
	//
	//	_, err := conn.Call[any](ctx, client.Conn(), "ai:resume",
	//		map[string]any{"requestId": s.RequestID(), "after": s.Progress().Tokens - 1})
	//	return err
	//
	// Its ctx ends with the Stream, and with the session. When that ends before Resume has returned,
	// it is called again on the next one; so it is best to wait until the backend has acknowledged what was asked.
	// An error ends the Stream.
	// Default: nothing is asked, and what comes is taken.
	Resume func(ctx context.Context, s *Stream) error
}

// A GapPolicy says what becomes of a Stream that lacks tokens.
type GapPolicy int

const (
	// FillGap waits for the final message, and puts the rest of its text in
	// place of what is missing, as one token. If the text does not begin with what has come, the Stream ends
	// with a GapError.
	FillGap GapPolicy = iota

	// FailOnGap ends the Stream with a GapError.
	FailOnGap
)

func (a *StreamConfig) setDefaults() {
	setDefault(&a.FirstTokenTimeout, DefaultFirstTokenTimeout)
	setDefault(&a.IdleTimeout, DefaultIdleTimeout)
	setDefault(&a.OfflineTimeout, DefaultOfflineTimeout)
	setDefault(&a.GapTimeout, DefaultGapTimeout)
	setDefault(&a.ReorderLimit, DefaultReorderLimit)
}

// answers knows the streams in flight, and which of them an event belongs to.
// The zero value is empty.
type streams struct {
	count atomic.Int32 // so that the reader need not lock when there are none

	answered, failed atomic.Uint64 // since New

	mu        sync.Mutex
	byRequest map[string]*Stream // by request id
	abandoned []abandoned

	link    sync.Mutex      // held while streams are told of a session; before mu and Stream.mu
	session int             // counts them
	epoch   int             // of the last one, see session
	fresh   bool            // since then one has begun that resumed none
	up      context.Context // ends with the last one; nil before the first
	down    bool            // it has ended
}

// A ghost is a question that was given up. A backend that leaves requestId out
// may still say something to it, and that must not be taken for the answer to the
// next question.
type abandoned struct {
	chatID events.ID
	begun  bool // the first token has come
	until  time.Time
}

// haunting is how long a ghost is reckoned with.
const abandonedTTL = 5 * time.Second

// add takes a stream in, unless its request id is taken.
func (a *streams) add(s *Stream) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, taken := a.byRequest[s.question.RequestID]; taken {
		return false
	}
	if a.byRequest == nil {
		a.byRequest = map[string]*Stream{}
	}
	a.byRequest[s.question.RequestID] = s
	a.count.Add(1)
	return true
}

// remove lets a stream go. One that ends before its answer has may leave a
// ghost.
func (a *streams) remove(s *Stream, answered bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.byRequest, s.question.RequestID)
	a.count.Add(-1)
	if out, next := s.position(); out && !answered && !s.named {
		a.expireAbandoned()
		a.abandoned = append(a.abandoned, abandoned{s.question.ChatID, next > 0, time.Now().Add(abandonedTTL)})
	}
}

// tally counts how a stream has ended.
func (a *streams) tally(err error) {
	if err == nil {
		a.answered.Add(1)
	} else {
		a.failed.Add(1)
	}
}

// exorcise forgets the ghosts whose time is over; a.mu is held.
func (a *streams) expireAbandoned() {
	now := time.Now()
	a.abandoned = slices.DeleteFunc(a.abandoned, func(g abandoned) bool { return now.After(g.until) })
}

func (a *streams) waiting() bool { return a.count.Load() > 0 }

// offer brings an event to the stream that it belongs to, and returns that;
// nil if it belongs to none.
func (a *streams) offer(event events.Event) *Stream {
	s, ambiguous := a.find(event)
	if s != nil {
		s.receive(event)
	}
	for _, s := range ambiguous {
		s.fail(ErrAmbiguous)
	}
	return s
}

// find goes by the request id. An event without one belongs to the only
// question that is out in its chat and that the backend has never named. When
// there is more than one, and the event is part of an answer, none of them can
// be answered.
func (a *streams) find(event events.Event) (only *Stream, ambiguous []*Stream) {
	e := event.Envelope()
	a.mu.Lock()
	defer a.mu.Unlock()
	if e.RequestID != "" {
		s := a.byRequest[e.RequestID]
		if s != nil {
			s.named = true
		}
		return s, nil
	}
	var meant []*Stream
	for _, s := range a.byRequest {
		if out, _ := s.position(); out && !s.named && sameChat(s.question.ChatID, e.ChatID) {
			meant = append(meant, s)
		}
	}
	if len(meant) == 1 {
		if s, sure := a.unlessAbandoned(event, meant[0]); sure {
			return s, nil
		}
	}
	switch event.(type) {
	case events.AIToken, events.AIMessage, events.AIError:
		return nil, meant
	}
	return nil, nil
}

// unlessGhost returns s if an event without request id is for it, and nil if
// it is for a ghost; it is not sure when it may be for either. a.mu is held.
func (a *streams) unlessAbandoned(event events.Event, s *Stream) (only *Stream, sure bool) {
	a.expireAbandoned()
	haunted, begun := false, true
	for _, g := range a.abandoned {
		if sameChat(g.chatID, s.question.ChatID) {
			haunted = true
			begun = begun && g.begun
		}
	}
	if !haunted {
		return s, true
	}
	_, next := s.position()
	token, ok := event.(events.AIToken)
	switch {
	case !ok || next > 0: // the ghost was given up after s had begun
		return nil, false
	case token.Index > 0:
		return nil, true // the middle of another answer
	case begun: // the beginning of one that is not the ghost's
		a.abandoned = slices.DeleteFunc(a.abandoned, func(g abandoned) bool { return sameChat(g.chatID, s.question.ChatID) })
		return s, true
	}
	return nil, false
}

// sameChat reports whether two ids mean the same chat; one that is not given
// may mean any.
func sameChat(a, b events.ID) bool { return a.IsZero() || b.IsZero() || a == b }

// all returns the streams whose question is known to be out. What becomes of
// one that is not is Ask's to say, which still waits.
func (a *streams) all() []*Stream { return a.filter((*Stream).watched) }

func (a *streams) filter(keep func(*Stream) bool) []*Stream {
	a.mu.Lock()
	defer a.mu.Unlock()
	var kept []*Stream
	for _, s := range a.byRequest {
		if keep(s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// giveUp ends every stream whose question is out from this side, aborts
// included, and returns when that is done.
func (a *streams) giveUp() {
	var all sync.WaitGroup
	for _, s := range a.all() {
		all.Go(func() { s.giveUp(cmp.Or(s.ctx.Err(), ErrStopped), "") })
	}
	all.Wait()
}

// aborted ends the streams that an abort is about.
func (a *streams) aborted(abort events.Abort) {
	for _, s := range a.filter(func(s *Stream) bool { out, _ := s.position(); return out }) {
		if abort.RequestID == s.question.RequestID || abort.RequestID == "" && sameChat(abort.ChatID, s.question.ChatID) {
			s.finish(events.AIMessage{}, ErrAborted)
		}
	}
}

// begins notes that a session has begun. Should it be lost before it is
// entered, the one that recovers it is of a new lineage nevertheless.
func (a *streams) begins(recovered bool) {
	a.link.Lock()
	defer a.link.Unlock()
	a.fresh = a.fresh || !recovered
}

// online tells the open streams that there is a session, which ends with ctx.
// It returns the session's lineage.
func (a *streams) online(ctx context.Context, recovered bool) (lineage int) {
	a.link.Lock()
	defer a.link.Unlock()
	a.session++
	if a.fresh || !recovered {
		a.epoch++
		a.fresh = false
	}
	session := a.session
	a.up, a.down = ctx, false
	for _, s := range a.all() {
		s.online(ctx, a.epoch)
	}
	context.AfterFunc(ctx, func() {
		a.link.Lock()
		defer a.link.Unlock()
		if a.session != session {
			return // the next one was faster
		}
		a.down = true
		for _, s := range a.all() {
			s.offline()
		}
	})
	return a.epoch
}

// welcome tells one more stream how things stand.
func (a *streams) welcome(s *Stream) {
	a.link.Lock()
	defer a.link.Unlock()
	s.begin()
	if a.down {
		s.offline()
	} else {
		s.online(a.up, a.epoch)
	}
}
