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
	ctx     context.Context // ends with Close
	stop    context.CancelCauseFunc
	running sync.WaitGroup // one for each answer in flight
	answers answers
}

// New returns a Server that asks the questions of browsers with asker, for
// example a *chat.Client. The error is ErrNoAuthorize.
func New[A Answer](asker Asker[A], cfg Config) (*Server, error) {
	if cfg.Authorize == nil {
		return nil, ErrNoAuthorize
	}
	cfg.setDefaults()
	s := &Server{cfg: cfg, ask: askWith(asker), answers: newAnswers(cfg)}
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	return s, nil
}

// Close aborts all answers in flight, and returns when they have ended. Later
// requests are refused with the status 503. It always returns nil.
func (s *Server) Close() error {
	s.answers.close()
	s.stop(ErrClosed)
	s.running.Wait()
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
	limited, release := context.WithTimeout(ctx, s.cfg.AnswerTimeout)
	end := func(err error) {
		defer s.running.Done()
		unlink()
		release()
		s.answers.end(e)
		close(e.done)
		s.logEnd(e, err)
		cancel(nil)
	}
	answer, err := s.askInTime(limited, r, e, q)
	e.answer, e.err = answer, e.cause(err)
	close(e.asked)
	if err != nil {
		end(e.err)
		s.answers.leave(e)
		return nil, e.err
	}
	go func() { // ends with the answer, which ends with Close at the latest
		_, err := answer.Wait()
		end(e.cause(err))
	}()
	return e, nil
}

// askInTime asks a question within AskTimeout. If the answer could not be
// resumed, it gives up when the reader leaves.
func (s *Server) askInTime(ctx context.Context, r Request, e *entry, q chat.Question) (Answer, error) {
	defer time.AfterFunc(s.cfg.AskTimeout, func() { e.cancel(context.DeadlineExceeded) }).Stop()
	if !s.cfg.resumable() {
		defer context.AfterFunc(r.Context(), func() { e.cancel(errLeft) })()
	}
	return s.ask(ctx, q)
}

// logEnd logs an error of an answer.
func (s *Server) logEnd(e *entry, err error) {
	if err != nil && !errors.Is(err, chat.ErrAborted) && !errors.Is(err, errLeft) {
		s.cfg.Logger.WarnContext(e.ctx, "chathttp: answer failed",
			"requestId", e.requestID, "code", s.cfg.problemOf(err).Code, "error", err)
	}
}
