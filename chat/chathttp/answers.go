package chathttp

import (
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
	users     map[string]*load
	all       load
	kept      []*entry // ended, the oldest first
	keptBytes int
}

// load counts the answers in flight and the open responses.
type load struct{ inFlight, open int }

func newAnswers(cfg Config) answers {
	return answers{cfg: cfg, byRequest: map[string]*entry{}, byChat: map[chatKey]*entry{}, users: map[string]*load{}}
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
		own = &load{}
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

// forget removes a user without answers in flight and open responses.
func (a *answers) forget(user string) {
	if *a.users[user] == (load{}) {
		delete(a.users, user)
	}
}

// end records the end of an answer. If it can be resumed, it is kept for
// ReplayTime.
func (a *answers) end(e *entry) {
	bytes := e.size()
	a.mu.Lock()
	defer a.mu.Unlock()
	e.ended, e.bytes = true, bytes
	a.all.inFlight--
	a.users[e.key.user].inFlight--
	a.forget(e.key.user)
	if e.timer != nil {
		e.timer.Stop()
	}
	if e.answer == nil || e.left || a.closed || a.cfg.ReplayTime < 0 || !a.cfg.resumable() {
		a.drop(e)
		return
	}
	a.kept = append(a.kept, e)
	a.keptBytes += bytes
	e.timer = time.AfterFunc(a.cfg.ReplayTime, func() { // stopped by close
		a.mu.Lock()
		defer a.mu.Unlock()
		a.expire(e)
	})
	for a.keptBytes > a.cfg.MaxReplayBytes {
		a.kept[0].timer.Stop()
		a.expire(a.kept[0])
	}
}

// expire drops an answer that was kept after its end.
func (a *answers) expire(e *entry) {
	if i := slices.Index(a.kept, e); i >= 0 {
		a.kept = slices.Delete(a.kept, i, i+1)
		a.keptBytes -= e.bytes
		a.drop(e)
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
	for _, e := range a.kept {
		e.timer.Stop()
		a.drop(e)
	}
	a.kept, a.keptBytes = nil, 0
	for _, e := range a.byRequest {
		e.cancel(ErrClosed)
	}
}
