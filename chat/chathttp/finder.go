package chathttp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"net/http"
	"strings"
	"sync"

	"github.com/seed67206a74/parley/events"
)

// A Finder is an Asker that finds answers that another process has asked for. A
// Server with one resumes and stops the answers of a chat that began at another
// Server. Its Config.OnLeave must be ContinueOnLeave. The Answers of chatnats
// are a Finder.
type Finder[A Answer] interface {
	Asker[A]

	// Find returns the last answer in a chat whose request id is the visitor's
	// own. ok is false if there is none. ctx also bounds the answer.
	Find(ctx context.Context, chatID events.ID, own func(requestID string) bool) (answer A, ok bool, err error)
}

// findFunc is the Find of any kind of Answer. The Answer is nil if there is
// none.
type findFunc func(ctx context.Context, chatID events.ID, own func(requestID string) bool) (Answer, error)

func findWith[A Answer](finder Finder[A]) findFunc {
	return func(ctx context.Context, chatID events.ID, own func(string) bool) (Answer, error) {
		answer, ok, err := finder.Find(ctx, chatID, own)
		if err != nil || !ok {
			return nil, err
		}
		return answer, nil
	}
}

// newRequestID returns a random request id that shows its user to every Server.
func newRequestID(user string) string {
	random := rand.Text()
	return random + "-" + ownerMark(random, user)
}

// isOwn reports whether a request id was made for a user.
func isOwn(requestID, user string) bool {
	random, mark, ok := strings.Cut(requestID, "-")
	return ok && mark == ownerMark(random, user)
}

// ownerMark returns 80 bits of a hash, so that an id of one user is not that of
// another. It needs no key, because a browser cannot choose a request id.
func ownerMark(random, user string) string {
	sum := sha256.Sum256([]byte(random + "\x00" + user))
	return base32.StdEncoding.EncodeToString(sum[:10])
}

// adopt finds an answer that another Server has asked for, and returns its
// entry with one reader, or nil.
func (s *Server) adopt(r *http.Request, t target) (*entry, error) {
	if s.find == nil || t.chat == "" || !t.visitor.may(t.chat) {
		return nil, nil
	}
	key := chatKey{t.visitor.UserID.String(), t.chat}
	unlock, err := s.finding.lock(r.Context(), key)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if e, err := s.join(t); e != nil || err != nil {
		return e, err // found by another request
	}
	// Not after find: an answer that is found and not kept is aborted.
	if err := s.answers.refusal(key.user); err != nil {
		return nil, err
	}
	e := s.newEntry(r, key, "")
	adopted := false
	defer func() {
		if !adopted {
			e.release()
		}
	}()
	answer, err := s.findInTime(r, t.visitor, e, func(requestID string) bool {
		return isOwn(requestID, key.user) && (t.last || t.id == requestID)
	})
	if answer == nil {
		return nil, e.cause(err)
	}
	e.requestID = answer.RequestID()
	if later, err := s.answers.add(e, false, &s.running); later != nil || err != nil {
		answer.Abort("the user has asked again")
		return nil, err
	}
	adopted = true
	s.follow(e, answer, func() {})
	return e, nil
}

// findInTime finds an answer within Config.AskTimeout.
func (s *Server) findInTime(r *http.Request, visitor Visitor, e *entry, own func(string) bool) (Answer, error) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.AskTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { e.cancel(context.Cause(ctx)) })()
	return s.find(e.ctx, s.cfg.Room(visitor, e.key.chat), own)
}

// A keyedLock has a lock for each chat of a user. Its zero value is ready.
type keyedLock struct {
	mu   sync.Mutex
	held map[chatKey]chan struct{} // closed by unlock
}

// lock waits for the lock of a key, or for the end of ctx.
func (l *keyedLock) lock(ctx context.Context, key chatKey) (unlock func(), err error) {
	for {
		l.mu.Lock()
		held := l.held[key]
		if held == nil {
			if l.held == nil {
				l.held = map[chatKey]chan struct{}{}
			}
			free := make(chan struct{})
			l.held[key] = free
			l.mu.Unlock()
			return func() {
				l.mu.Lock()
				delete(l.held, key)
				l.mu.Unlock()
				close(free)
			}, nil
		}
		l.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
