package chathttp

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/seed67206a74/parley/chat"
)

// A Server answers the requests of browsers. Its methods with an
// http.ResponseWriter are handlers, one for each route of a protocol. They are
// safe for concurrent use.
type Server struct {
	cfg     Config
	ask     askFunc
	find    findFunc       // nil if the Asker is no Finder
	release func()         // of ask's clients and rooms, after all answers have ended
	running sync.WaitGroup // one for each answer in flight
	answers answers
	finding keyedLock
}

// New returns a Server that asks the questions of all visitors with asker, for
// example a *chat.Client, which the program runs and closes. The error is
// ErrNoAuthorize, or ErrFinderAborts if asker is a Finder and Config.OnLeave is
// not ContinueOnLeave.
func New[A Answer](asker Asker[A], cfg Config) (*Server, error) {
	s, err := newServer(cfg)
	if err != nil {
		return nil, err
	}
	var joined *rooms
	if client, ok := asker.(roomClient); ok && !cfg.NoJoin {
		joined = newRooms(client)
		s.release = joined.close
	}
	if finder, ok := asker.(Finder[A]); ok {
		if cfg.OnLeave != ContinueOnLeave {
			return nil, ErrFinderAborts
		}
		s.find = findWith(finder)
	}
	s.ask = func(ctx context.Context, _ Visitor, q chat.Question, idle time.Duration) (Answer, func(), error) {
		return askIn(ctx, asker, joined, q, idle)
	}
	return s, nil
}

// NewPerVisitor returns a Server that asks the questions of each user with a
// client of that user, for backends that authenticate users by the connection.
//
// The Server calls newClient for the first question of a user, and runs and
// closes the client. The ctx has the values of that request; the client must
// not depend on its end. A client is closed after Config.ClientIdle without an
// answer, and earlier if Config.MaxClients others are needed. If Run returns an
// error, the next question of the user makes a new client. The error is
// ErrNoAuthorize.
func NewPerVisitor(newClient func(ctx context.Context, v Visitor) (*chat.Client, error), cfg Config) (*Server, error) {
	s, err := newServer(cfg)
	if err != nil {
		return nil, err
	}
	all := newClients(s.cfg, newClient)
	s.ask, s.release = all.ask, all.close
	return s, nil
}

func newServer(cfg Config) (*Server, error) {
	if cfg.Authorize == nil {
		return nil, ErrNoAuthorize
	}
	cfg.setDefaults()
	s := &Server{cfg: cfg, release: func() {}, answers: newAnswers(cfg)}
	return s, nil
}

// Close aborts all answers in flight, and returns when they have ended. It
// leaves the rooms that the Server has joined, and closes the clients of
// NewPerVisitor. Later requests are refused with the status 503. It always
// returns nil.
func (s *Server) Close() error {
	s.answers.close()
	s.running.Wait()
	s.release()
	return nil
}

// newEntry returns the entry of an answer, which may outlive the request. It
// ends with Close, or after Config.AnswerTimeout.
func (s *Server) newEntry(r *http.Request, key chatKey, requestID string) *entry {
	e := &entry{key: key, requestID: requestID, began: time.Now(), asked: make(chan struct{}), done: make(chan struct{})}
	e.ctx, e.cancel = context.WithCancelCause(context.WithoutCancel(r.Context()))
	timeout := time.AfterFunc(s.cfg.AnswerTimeout, func() { e.cancel(context.DeadlineExceeded) })
	e.release = func() {
		timeout.Stop()
		e.cancel(nil)
	}
	return e
}

// begin begins to ask a question, and returns its entry with one reader. The
// caller calls leave.
func (s *Server) begin(r Request, q chat.Question) (*entry, error) {
	user := r.Visitor.UserID.String()
	q.RequestID = newRequestID(user)
	e := s.newEntry(r.Request, chatKey{user, r.ChatID}, q.RequestID)
	e.own = r.own
	replaced, err := s.answers.add(e, true, &s.running)
	if err != nil {
		e.release()
		return nil, err
	}
	go func() { // ends when the question is asked, after AskTimeout at the latest
		if replaced != nil {
			replaced.abort("the user has asked again")
		}
		s.askInTime(e, r.Visitor, q)
	}()
	return e, nil
}

// askInTime asks the question of an entry within AskTimeout.
func (s *Server) askInTime(e *entry, v Visitor, q chat.Question) {
	defer time.AfterFunc(s.cfg.AskTimeout, func() { e.cancel(context.DeadlineExceeded) }).Stop()
	idle := roomIdle
	if e.own {
		idle = 0 // no other question is asked in the room
	}
	err := errAskPanicked
	defer func() {
		if err == nil {
			return
		}
		if panicked := recover(); panicked != nil {
			s.cfg.Logger.ErrorContext(e.ctx, "chathttp: Ask panicked", "requestId", e.requestID, "panic", panicked, "stack", string(debug.Stack()))
		}
		e.err = e.cause(err)
		close(e.asked)
		s.end(e, e.err)
	}()
	answer, release, failed := s.ask(e.ctx, v, q, idle)
	if err = failed; err == nil {
		s.follow(e, answer, release)
	}
}

// follow sets the answer of an entry. release is called after its end.
func (s *Server) follow(e *entry, answer Answer, release func()) {
	e.answer = answer
	close(e.asked)
	go func() { // ends with the answer, which ends with Close at the latest
		_, err := answer.Wait()
		release()
		s.end(e, e.cause(err))
	}()
}

// end ends an entry.
func (s *Server) end(e *entry, err error) {
	defer s.running.Done()
	s.answers.end(e)
	close(e.done)
	s.logEnd(e, err)
	e.release()
}

// errAskPanicked ends an answer if the Asker, or the function of NewPerVisitor,
// panics.
var errAskPanicked = errors.New("chathttp: Ask panicked")

// logEnd logs an error of an answer.
func (s *Server) logEnd(e *entry, err error) {
	if err != nil && !errors.Is(err, chat.ErrAborted) && !errors.Is(err, errLeft) {
		s.cfg.Logger.WarnContext(e.ctx, "chathttp: answer failed",
			"requestId", e.requestID, "code", s.cfg.problemOf(err).Code, "error", err)
	}
}
