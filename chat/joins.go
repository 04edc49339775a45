package chat

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// A room is joined after each connect.
type room struct {
	chatID  events.ID     // zero: the join of JoinPayload alone
	session *conn.Session // the last session that it was joined on

	// The room is joined until Leave is called or, unless keep is true, until
	// the last of shares is released.
	keep   bool       // it was joined by Join or the Config
	shares []*joining // of JoinShared
}

// A joining is a join in progress, by a caller or after a connect.
type joining struct {
	chatID events.ID
	by     joiner
	cancel context.CancelCauseFunc
	sent   bool // the join was sent, and not refused
}

// A joiner is the cause of a join.
type joiner int

const (
	byConnect joiner = iota
	byJoin
	byJoinShared
)

// rooms joins and leaves rooms.
//
// Joins and leaves are sent one after the other, so that the server gets them
// in the order in which they take effect here. JoinReply runs under neither sem
// nor mu.
type rooms struct {
	timeout    time.Duration                                       // Config.JoinTimeout
	reply      func(chatID events.ID, reply json.RawMessage) error // Config.JoinReply
	joinEvent  func() string
	leaveEvent string
	base       base
	own        events.ID // Config.ChatID
	joinFields any       // Config.JoinPayload
	conn       sessions

	sem chan struct{} // holds a value while a join or a leave is sent; taken before mu

	mu       sync.Mutex    // taken after sem; no other lock is taken while it is held
	rooms    []room        // joined after each connect, in this order
	joinings []*joining    // in progress
	entering *conn.Session // the session that enter joins rooms on; nil for none
}

func newRooms(cfg Config, c sessions, joinEvent func() string, b base) *rooms {
	r := &rooms{
		timeout: cfg.JoinTimeout, reply: cfg.JoinReply, joinEvent: joinEvent, leaveEvent: cfg.LeaveEvent,
		base: b, own: cfg.ChatID, joinFields: cfg.JoinPayload, conn: c, sem: make(chan struct{}, 1),
	}
	if !cfg.NoJoin {
		r.rooms = []room{{chatID: cfg.ChatID, keep: true}}
	}
	return r
}

// enter joins all rooms on a new session.
func (r *rooms) enter(ctx context.Context, s *conn.Session) error {
	r.mu.Lock()
	all := slices.Clone(r.rooms)
	r.entering = s
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.entering = nil
	}()
	for _, room := range all {
		if err := r.rejoin(ctx, s, room.chatID); err != nil {
			return err
		}
	}
	return nil
}

// rejoin joins one room on a new session. It returns nil if the room is left
// meanwhile.
func (r *rooms) rejoin(ctx context.Context, s *conn.Session, chatID events.ID) error {
	ctx, pending := r.begin(ctx, chatID, byConnect)
	defer r.end(pending)
	reply, sent, err := r.sendJoin(ctx, s, chatID, func() bool {
		i := r.index(chatID)
		if i < 0 || r.rooms[i].session == s {
			return false // left, or joined by a Join meanwhile
		}
		r.rooms[i].session = s // so that no Join sends it again; an error ends s
		pending.sent = true
		return true
	})
	if err == nil && sent {
		err = r.check(chatID, reply)
	}
	if context.Cause(ctx) == ErrLeft {
		return nil // the leave is sent after the join
	}
	return err
}

// begin registers a join, which Leave cancels with ErrLeft. The caller calls
// end.
func (r *rooms) begin(ctx context.Context, chatID events.ID, by joiner) (context.Context, *joining) {
	ctx, cancel := context.WithCancelCause(ctx)
	pending := &joining{chatID: chatID, by: by, cancel: cancel}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.joinings = append(r.joinings, pending)
	return ctx, pending
}

func (r *rooms) end(pending *joining) {
	pending.cancel(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.joinings = slices.DeleteFunc(r.joinings, func(j *joining) bool { return j == pending })
}

// sendJoin sends a join if wanted returns true, and waits for its
// acknowledgement if a timeout is set. It calls wanted with mu held.
func (r *rooms) sendJoin(ctx context.Context, s *conn.Session, chatID events.ID, wanted func() bool) (reply json.RawMessage, sent bool, err error) {
	event := r.joinEvent()
	if err := r.lock(ctx, event); err != nil {
		return nil, false, err
	}
	defer r.unlock()
	r.mu.Lock()
	sent = wanted()
	r.mu.Unlock()
	if !sent {
		return nil, false, nil
	}
	payload := r.baseOf(chatID).with(r.joinFields)
	if r.timeout == 0 {
		return nil, true, s.Emit(ctx, event, payload)
	}
	waiting, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	var args conn.Args
	if err := s.Call(waiting, &args, event, payload); err != nil {
		if ctx.Err() == nil && waiting.Err() != nil {
			err = &JoinError{ChatID: chatID, Err: waiting.Err()}
		}
		return nil, true, err
	}
	if len(args) > 0 {
		reply = args[0]
	}
	return reply, true, nil
}

// baseOf returns the first fields of a join or leave. Those of the client's own
// room are those of every event.
func (r *rooms) baseOf(chatID events.ID) base {
	if chatID.Same(r.own) {
		return r.base
	}
	return r.base.inRoom(chatID)
}

// check passes the acknowledgement of a join to Config.JoinReply.
func (r *rooms) check(chatID events.ID, reply json.RawMessage) error {
	if r.timeout == 0 {
		return nil
	}
	if err := r.reply(chatID, reply); err != nil {
		return &JoinError{ChatID: chatID, Reply: reply, Err: err}
	}
	return nil
}

// lock takes sem. A holder releases it when its session ends, so the next
// session does not wait for long.
func (r *rooms) lock(ctx context.Context, event string) error {
	select {
	case r.sem <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &conn.SendError{Event: event, Err: ctx.Err()}
	}
}

func (r *rooms) unlock() { <-r.sem }

// on runs fn on the session on which enter is joining rooms, so that JoinReply
// may call Join and Leave. If there is none, or it ends, fn runs on the Ready
// session.
func (r *rooms) on(ctx context.Context, event func() string, fn func(ctx context.Context, s *conn.Session) error) error {
	ctx, release, err := r.conn.Hold(ctx)
	if err != nil {
		return &conn.SendError{Event: event(), Err: err}
	}
	defer release()
	r.mu.Lock()
	s := r.entering
	r.mu.Unlock()
	if s != nil {
		if err := fn(ctx, s); !notSent(err) {
			return err
		}
	}
	return onSession(r.conn, ctx, event, fn)
}

// join implements Client.Join and Client.JoinShared.
func (r *rooms) join(ctx context.Context, chatID events.ID, by joiner) (*joining, error) {
	ctx, pending := r.begin(ctx, chatID, by)
	defer r.end(pending)
	err := r.on(ctx, r.joinEvent, func(ctx context.Context, s *conn.Session) error { return r.joinOn(ctx, s, pending) })
	if err != nil && context.Cause(ctx) == ErrLeft {
		err = &JoinError{ChatID: chatID, Err: ErrLeft}
	}
	return pending, err
}

// joinOn joins a room on a session, unless it is already joined there.
func (r *rooms) joinOn(ctx context.Context, s *conn.Session, pending *joining) error {
	chatID := pending.chatID
	settled := false
	defer func() { // also after a panic of JoinReply
		if !settled {
			r.notJoined(pending)
		}
	}()
	reply, sent, err := r.sendJoin(ctx, s, chatID, func() bool {
		i := r.index(chatID)
		if i >= 0 && r.rooms[i].session == s {
			r.rooms[i].addUse(pending)
			return false
		}
		if i >= 0 {
			r.rooms[i].session = s // so that enter does not send it again
		}
		pending.sent = true
		return true
	})
	if err == nil && sent {
		err = r.check(chatID, reply)
	}
	if err != nil || !sent {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	settled = true
	if err := context.Cause(ctx); err == ErrLeft {
		return err // the leave is sent after the join
	}
	if r.index(chatID) < 0 {
		r.rooms = append(r.rooms, room{chatID: chatID})
	}
	joined := &r.rooms[r.index(chatID)]
	joined.session = s
	joined.addUse(pending)
	return nil
}

// addUse records a join that has succeeded.
func (r *room) addUse(join *joining) {
	if join.by == byJoinShared {
		r.shares = append(r.shares, join)
	} else {
		r.keep = true
	}
}

// notJoined records that a join has failed.
func (r *rooms) notJoined(pending *joining) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.index(pending.chatID); i >= 0 && pending.sent {
		r.rooms[i].session = nil
	}
	pending.sent = false
}

// leave implements Client.Leave.
func (r *rooms) leave(ctx context.Context, chatID events.ID) error {
	r.mu.Lock()
	r.forget(chatID, func(*joining) bool { return true })
	r.mu.Unlock()
	return r.sendLeave(ctx, chatID)
}

// release ends a share of JoinShared. It leaves the room after the last use.
func (r *rooms) release(ctx context.Context, share *joining) error {
	r.mu.Lock()
	i := r.index(share.chatID)
	if i < 0 || !slices.Contains(r.rooms[i].shares, share) {
		r.mu.Unlock()
		return nil // Leave was called
	}
	in := &r.rooms[i]
	in.shares = slices.DeleteFunc(in.shares, func(s *joining) bool { return s == share })
	last := !in.keep && len(in.shares) == 0
	if last {
		r.forget(share.chatID, func(j *joining) bool { return j.by == byConnect })
	}
	r.mu.Unlock()
	if !last {
		return nil
	}
	return r.sendLeave(ctx, share.chatID)
}

// sendLeave sends the leave of a room, unless a later Join has joined it again.
func (r *rooms) sendLeave(ctx context.Context, chatID events.ID) error {
	return r.on(ctx, func() string { return r.leaveEvent }, func(ctx context.Context, s *conn.Session) error {
		if err := r.lock(ctx, r.leaveEvent); err != nil {
			return err
		}
		defer r.unlock()
		if r.joined(chatID) {
			return nil
		}
		return s.Emit(ctx, r.leaveEvent, r.baseOf(chatID).with(nil))
	})
}

// forget removes a room. Its joins in progress for which ends returns true end
// with ErrLeft. mu is held.
func (r *rooms) forget(chatID events.ID, ends func(*joining) bool) {
	if i := r.index(chatID); i >= 0 {
		r.rooms = slices.Delete(r.rooms, i, i+1)
	}
	r.joinings = slices.DeleteFunc(r.joinings, func(j *joining) bool {
		left := j.chatID.Same(chatID) && ends(j)
		if left {
			j.cancel(ErrLeft)
		}
		return left
	})
}

// joined reports whether a room is joined, or a join for it has been sent.
func (r *rooms) joined(chatID events.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.index(chatID) >= 0 || slices.ContainsFunc(r.joinings, func(j *joining) bool { return j.chatID.Same(chatID) && j.sent })
}

// index returns the index of a room, or -1; mu is held.
func (r *rooms) index(chatID events.ID) int {
	return slices.IndexFunc(r.rooms, func(room room) bool { return room.chatID.Same(chatID) })
}
