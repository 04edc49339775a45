package chathttp

import (
	"cmp"
	"net/http"
	"slices"
	"sync"
	"time"
)

// answers holds the answers in flight, and ended ones until they expire.
type answers struct {
	cfg Config

	mu        sync.Mutex
	closed    bool
	byRequest map[string]*entry
	byChat    map[chatKey]*entry // the last answer of each chat
	users     map[string]*user
	all       load
}

// load counts the answers in flight, the open responses, and the answers that
// are kept after their end, with their memory.
type load struct{ inFlight, open, ended, bytes int }

// A user has answers or open responses.
type user struct {
	load
	kept []*entry // ended, the oldest first
}

func newAnswers(cfg Config) answers {
	return answers{cfg: cfg, byRequest: map[string]*entry{}, byChat: map[chatKey]*entry{}, users: map[string]*user{}}
}

// add adds an answer in flight with one reader, and adds one to running. It
// returns the answer in flight of the same chat, if there is one. Without
// replace, e is not added in that case.
func (a *answers) add(e *entry, replace bool, running *sync.WaitGroup) (other *entry, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if old := a.byChat[e.key]; old != nil && !old.ended {
		other = old
	}
	if err := a.mayAdd(e.key.user, other != nil); err != nil {
		return nil, err
	}
	if other != nil && !replace {
		return other, nil
	}
	a.open(e)
	a.all.inFlight++
	a.users[e.key.user].inFlight++
	a.byRequest[e.requestID] = e
	a.byChat[e.key] = e
	running.Add(1)
	return other, nil
}

// refusal returns the error with which add would refuse a further answer of a
// user.
func (a *answers) refusal(user string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mayAdd(user, false)
}

// mayAdd returns an error if a user may not have another answer in flight with
// a reader. replaces is whether it replaces an answer of the user.
func (a *answers) mayAdd(user string, replaces bool) error {
	if err := a.mayOpen(user); err != nil {
		return err
	}
	own := a.users[user]
	if own != nil && !replaces && own.inFlight >= a.cfg.MaxStreamsPerVisitor {
		return refuse(http.StatusTooManyRequests, "too_many_streams", "Too many answers are in flight.")
	}
	if a.all.inFlight >= a.cfg.MaxStreams {
		return refuse(http.StatusServiceUnavailable, "busy", "The service is busy.")
	}
	return nil
}

// mayOpen returns an error if a user may not have another open response.
func (a *answers) mayOpen(user string) error {
	own := a.users[user]
	switch {
	case a.closed:
		return ErrClosed
	case own != nil && own.open >= a.cfg.MaxStreamsPerVisitor:
		return refuse(http.StatusTooManyRequests, "too_many_streams", "Too many responses are open.")
	case a.all.open >= a.cfg.MaxStreams:
		return refuse(http.StatusServiceUnavailable, "busy", "The service is busy.")
	}
	return nil
}

// open adds a reader.
func (a *answers) open(e *entry) {
	e.readers++
	a.all.open++
	own := a.users[e.key.user]
	if own == nil {
		own = &user{}
		a.users[e.key.user] = own
	}
	own.open++
	if e.timer != nil && !e.ended {
		e.timer.Stop()
	}
}

// find returns the answer of a target, or nil. Another user's answer is not
// found.
func (a *answers) find(t target) *entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lookup(t)
}

func (a *answers) lookup(t target) *entry {
	user := t.visitor.UserID.String()
	e := a.byRequest[t.id]
	if e == nil || e.key.user != user {
		e = nil
		if t.last && t.chat != "" {
			e = a.byChat[chatKey{user, t.chat}]
		}
	}
	if e == nil || e.left {
		return nil
	}
	return e
}

// inFlight reports whether an answer has not ended.
func (a *answers) inFlight(e *entry) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !e.ended
}

// join finds the answer of a target and adds a reader, who calls leave. It
// returns nil if there is no such answer.
func (a *answers) join(t target) (*entry, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.lookup(t)
	if e == nil || !a.cfg.resumable() {
		return nil, nil
	}
	if err := a.mayOpen(e.key.user); err != nil {
		return nil, err
	}
	a.open(e)
	return e, nil
}

// leave removes a reader. If it was the last one, Config.OnLeave applies.
func (a *answers) leave(e *entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e.readers--
	a.all.open--
	a.users[e.key.user].open--
	a.forget(e.key.user)
	if e.readers > 0 || e.ended || a.cfg.OnLeave != AbortOnLeave {
		return
	}
	if a.cfg.LeaveGrace <= 0 {
		e.left = true
		e.cancel(errLeft)
		return
	}
	e.timer = time.AfterFunc(a.cfg.LeaveGrace, func() { // stopped by the next reader or the end
		a.mu.Lock()
		defer a.mu.Unlock()
		if e.readers == 0 && !e.ended {
			e.left = true
			e.cancel(errLeft)
		}
	})
}

// forget removes a user without answers and open responses.
func (a *answers) forget(name string) {
	if own := a.users[name]; own != nil && own.load == (load{}) {
		delete(a.users, name)
	}
}

// end records the end of an answer. If it can be resumed, it is kept for
// ReplayTime.
func (a *answers) end(e *entry) {
	bytes := e.size()
	a.mu.Lock()
	defer a.mu.Unlock()
	e.ended, e.endedAt, e.bytes = true, time.Now(), bytes
	own := a.users[e.key.user]
	a.all.inFlight--
	own.inFlight--
	defer a.forget(e.key.user)
	if e.timer != nil {
		e.timer.Stop()
	}
	if e.answer == nil || e.left || a.closed || a.cfg.ReplayTime < 0 || !a.cfg.resumable() {
		a.drop(e)
		return
	}
	a.keep(own, e, 1)
	own.kept = append(own.kept, e)
	e.timer = time.AfterFunc(a.cfg.ReplayTime, func() { // stopped by expire and close
		a.mu.Lock()
		defer a.mu.Unlock()
		a.expire(e)
	})
	if own.ended > a.cfg.MaxStreamsPerVisitor {
		a.expire(own.kept[0])
	}
	for a.all.ended > a.cfg.MaxStreams || a.all.bytes > a.cfg.MaxReplayBytes {
		a.expire(a.first())
	}
}

// keep adds n answers like e to the kept ones.
func (a *answers) keep(own *user, e *entry, n int) {
	for _, l := range []*load{&a.all, &own.load} {
		l.ended += n
		l.bytes += n * e.bytes
	}
}

// fairShare is the part of MaxReplayBytes that each user may use before it is
// decisive that others use less.
const fairShare = 64

// first returns the answer that is dropped first: of the user whose answers
// need most memory, the oldest one.
func (a *answers) first() *entry {
	var most *user
	for _, u := range a.users {
		if len(u.kept) == 0 {
			continue
		}
		if most == nil {
			most = u
			continue
		}
		share := a.cfg.MaxReplayBytes / fairShare
		order := cmp.Compare(max(u.bytes, share), max(most.bytes, share))
		if order > 0 || order == 0 && u.kept[0].endedAt.Before(most.kept[0].endedAt) {
			most = u
		}
	}
	return most.kept[0]
}

// expire drops an answer that was kept after its end.
func (a *answers) expire(e *entry) {
	own := a.users[e.key.user]
	if own == nil {
		return
	}
	if i := slices.Index(own.kept, e); i >= 0 {
		e.timer.Stop()
		own.kept = slices.Delete(own.kept, i, i+1)
		a.keep(own, e, -1)
		a.drop(e)
		a.forget(e.key.user)
	}
}

// drop removes an answer. Its readers can still read it.
func (a *answers) drop(e *entry) {
	delete(a.byRequest, e.requestID)
	if a.byChat[e.key] == e {
		delete(a.byChat, e.key)
	}
}

// close refuses further readers, drops the answers that were kept, and ends
// those in flight.
func (a *answers) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for _, own := range a.users {
		for len(own.kept) > 0 {
			a.expire(own.kept[0])
		}
	}
	for _, e := range a.byRequest {
		e.cancel(ErrClosed)
	}
}
