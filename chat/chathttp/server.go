package chathttp

import (
	"context"
	"crypto/rand"
	"errors"
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
	release func()          // of ask's clients and rooms, after all answers have ended
	ctx     context.Context // ends with Close
	stop    context.CancelCauseFunc
	running sync.WaitGroup // one for each answer in flight
	answers answers
}

// New returns a Server that asks the questions of all visitors with asker, for
// example a *chat.Client, which the program runs and closes. The error is
// ErrNoAuthorize.
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
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	return s, nil
}

// Close aborts all answers in flight, and returns when they have ended. It
// leaves the rooms that the Server has joined, and closes the clients of
// NewPerVisitor. Later requests are refused with the status 503. It always
// returns nil.
func (s *Server) Close() error {
	s.answers.close()
	s.stop(ErrClosed)
	s.running.Wait()
	s.release()
	return nil
}

// begin asks a question, and returns its entry with one reader. The caller
// calls leave.
func (s *Server) begin(r Request, q chat.Question) (*entry, error) {
	q.RequestID = rand.Text()
	// The answer may outlive the request, and ends with Close.
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
	e := &entry{
		key:       chatKey{r.Visitor.UserID.String(), r.ChatID},
		requestID: q.RequestID, began: time.Now(), ctx: ctx, cancel: cancel, own: r.own,
		asked: make(chan struct{}), done: make(chan struct{}),
	}
	replaced, err := s.answers.add(e, &s.running)
	if err != nil {
		cancel(err)
		return nil, err
	}
	unlink := context.AfterFunc(s.ctx, func() { cancel(ErrClosed) })
	if replaced != nil {
		replaced.abort("the user has asked again")
	}
	limited, stop := context.WithTimeout(ctx, s.cfg.AnswerTimeout)
	done := func() {} // the release of ask
	end := func(err error) {
		defer s.running.Done()
		done()
		unlink()
		stop()
		s.answers.end(e)
		close(e.done)
		s.logEnd(e, err)
		cancel(nil)
	}
	e.err = errAskPanicked
	defer func() {
		if e.err != nil {
			close(e.asked)
			end(e.err)
			s.answers.leave(e)
		}
	}()
	answer, release, err := s.askInTime(limited, r, e, q)
	if e.err = e.cause(err); err != nil {
		return nil, e.err
	}
	e.answer, done = answer, release
	close(e.asked)
	go func() { // ends with the answer, which ends with Close at the latest
		_, err := answer.Wait()
		end(e.cause(err))
	}()
	return e, nil
}

// errAskPanicked ends an answer if the Asker panics. http.Server logs the
// panic.
var errAskPanicked = errors.New("chathttp: the Asker panicked")

// askInTime asks a question within AskTimeout. If the answer could not be
// resumed, it gives up when the reader leaves.
func (s *Server) askInTime(ctx context.Context, r Request, e *entry, q chat.Question) (Answer, func(), error) {
	defer time.AfterFunc(s.cfg.AskTimeout, func() { e.cancel(context.DeadlineExceeded) }).Stop()
	if !s.cfg.resumable() {
		defer context.AfterFunc(r.Context(), func() { e.cancel(errLeft) })()
	}
	idle := roomIdle
	if r.own {
		idle = 0 // no other question is asked in the room
	}
	return s.ask(ctx, r.Visitor, q, idle)
}

// logEnd logs an error of an answer.
func (s *Server) logEnd(e *entry, err error) {
	if err != nil && !errors.Is(err, chat.ErrAborted) && !errors.Is(err, errLeft) {
		s.cfg.Logger.WarnContext(e.ctx, "chathttp: answer failed",
			"requestId", e.requestID, "code", s.cfg.problemOf(err).Code, "error", err)
	}
}
