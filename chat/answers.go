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

// Defaults of [Answers].
const (
	DefaultFirstToken = 2 * time.Minute
	DefaultSilence    = time.Minute
	DefaultOffline    = 30 * time.Second
	DefaultGap        = 2 * time.Second
	DefaultEarly      = 1024
)

// Answers says how the answers to questions are put together, and when they
// are given up. A limit that is negative does not exist.
type Answers struct {
	// FirstToken ends a Stream with ErrNoToken when the question has been out
	// for that long, and neither token nor message has come.
	// Default: DefaultFirstToken.
	FirstToken time.Duration

	// Silence ends a Stream with ErrStalled when for that long nothing has
	// come for it, while the client was connected. Default: DefaultSilence.
	Silence time.Duration

	// Offline ends the open Streams with ErrOffline when the client has lost
	// its connection for that long. Default: DefaultOffline.
	Offline time.Duration

	// Gap is how long a token that is missing is waited for, while later ones
	// are there. Default: DefaultGap.
	Gap time.Duration

	// OnGap says what happens then. Default: BridgeGap.
	OnGap GapPolicy

	// Early is how many tokens that come before their turn are held back; one
	// more counts as the end of the wait. Default: DefaultEarly.
	Early int

	// Resume is called for each open Stream when the client is connected
	// again and the server has not resumed the session: to ask the backend for what
	// follows the tokens that have come, for example
	//
	//	client.Emit(ctx, "ai:resume", map[string]any{"requestId": s.RequestID(), "after": s.Progress().Tokens - 1})
	//
	// Its ctx ends with the Stream. An error ends the Stream.
	// Default: nothing is asked, and what comes is taken.
	Resume func(ctx context.Context, s *Stream) error
}

// A GapPolicy says what becomes of a Stream that lacks tokens.
type GapPolicy int

const (
	// BridgeGap waits for the final message, and puts the rest of its text in
	// place of what is missing, as one token. If the text does not begin with what has come, the Stream ends
	// with a GapError.
	BridgeGap GapPolicy = iota

	// FailOnGap ends the Stream with a GapError.
	FailOnGap
)

func (a *Answers) setDefaults() {
	setDefault(&a.FirstToken, DefaultFirstToken)
	setDefault(&a.Silence, DefaultSilence)
	setDefault(&a.Offline, DefaultOffline)
	setDefault(&a.Gap, DefaultGap)
	setDefault(&a.Early, DefaultEarly)
}

// answers knows the streams in flight, and which of them an event belongs to.
// The zero value is empty.
type answers struct {
	count atomic.Int32 // so that the reader need not lock when there are none

	mu      sync.Mutex
	streams map[string]*Stream // by request id
	ghosts  []ghost

	link    sync.Mutex // held while the streams are told of a session
	session int        // counts them
	down    atomic.Bool
}

// A ghost is a question that was given up. A backend that leaves requestId out
// may still say something to it, and that must not be taken for the answer to the
// next question.
type ghost struct {
	chatID events.ID
	begun  bool // the first token has come
	until  time.Time
}

// haunting is how long a ghost is reckoned with.
const haunting = 5 * time.Second

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

// remove lets a stream go. One that ends before its answer has may leave a
// ghost.
func (a *answers) remove(s *Stream, answered bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.streams[s.question.RequestID] != s {
		return
	}
	delete(a.streams, s.question.RequestID)
	a.count.Add(-1)
	if asked, next := s.position(); asked && !answered && !s.named {
		a.ghosts = append(a.ghosts, ghost{s.question.ChatID, next > 0, time.Now().Add(haunting)})
	}
}

func (a *answers) waiting() bool { return a.count.Load() > 0 }

// offer brings an event to the stream that it belongs to, if to any.
func (a *answers) offer(event events.Event) {
	s, ambiguous := a.find(event)
	if s != nil {
		s.receive(event)
	}
	for _, s := range ambiguous {
		go s.giveUp(ErrAmbiguous, "") // the reader must not wait; this goroutine ends within abortTimeout
	}
}

// find goes by the request id. An event without one belongs to the only
// question in flight in its chat that the backend has never named. When there
// is more than one, and the event is part of an answer, none of them can be
// answered.
func (a *answers) find(event events.Event) (only *Stream, ambiguous []*Stream) {
	e := event.Envelope()
	a.mu.Lock()
	defer a.mu.Unlock()
	if e.RequestID != "" {
		s := a.streams[e.RequestID]
		if s != nil {
			s.named = true
		}
		return s, nil
	}
	var meant []*Stream
	for _, s := range a.streams {
		if !s.named && sameChat(s.question.ChatID, e.ChatID) {
			meant = append(meant, s)
		}
	}
	if len(meant) == 1 {
		if s, sure := a.unlessGhost(event, meant[0]); sure {
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
func (a *answers) unlessGhost(event events.Event, s *Stream) (only *Stream, sure bool) {
	now := time.Now()
	a.ghosts = slices.DeleteFunc(a.ghosts, func(g ghost) bool { return now.After(g.until) })
	haunted, begun := false, true
	for _, g := range a.ghosts {
		if sameChat(g.chatID, s.question.ChatID) {
			haunted = true
			begun = begun && g.begun
		}
	}
	if _, next := s.position(); !haunted || next > 0 {
		return s, true
	}
	token, ok := event.(events.AIToken)
	switch {
	case ok && token.Index > 0:
		return nil, true // the middle of another answer
	case ok && begun: // the beginning of one that is not the ghost's
		a.ghosts = slices.DeleteFunc(a.ghosts, func(g ghost) bool { return sameChat(g.chatID, s.question.ChatID) })
		return s, true
	}
	return nil, false
}

// sameChat reports whether two ids mean the same chat; one that is not given
// may mean any.
func sameChat(a, b events.ID) bool { return a.IsZero() || b.IsZero() || a == b }

// all returns the streams whose question is out. What becomes of one that is
// not is Ask's to say, which still waits.
func (a *answers) all() []*Stream {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []*Stream
	for _, s := range a.streams {
		if asked, _ := s.position(); asked {
			out = append(out, s)
		}
	}
	return out
}

// giveUp ends every stream whose question is out from this side, aborts
// included, and returns when that is done.
func (a *answers) giveUp() {
	var all sync.WaitGroup
	for _, s := range a.all() {
		all.Go(func() { s.giveUp(cmp.Or(s.ctx.Err(), ErrStopped), "") })
	}
	all.Wait()
}

// aborted ends the streams that an abort which has been sent is about.
func (a *answers) aborted(abort events.Abort) {
	for _, s := range a.all() {
		if abort.RequestID == s.question.RequestID || abort.RequestID == "" && sameChat(abort.ChatID, s.question.ChatID) {
			s.finish(events.AIMessage{}, ErrAborted)
		}
	}
}

// online tells the open streams that there is a session, which ends with ctx.
func (a *answers) online(ctx context.Context, recovered bool) {
	a.link.Lock()
	defer a.link.Unlock()
	a.session++
	session := a.session
	a.down.Store(false)
	for _, s := range a.all() {
		s.online(recovered)
	}
	context.AfterFunc(ctx, func() {
		a.link.Lock()
		defer a.link.Unlock()
		if a.session != session {
			return // the next one was faster
		}
		a.down.Store(true)
		for _, s := range a.all() {
			s.offline()
		}
	})
}
