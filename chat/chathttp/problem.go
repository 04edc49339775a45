package chathttp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// A problem is an error as a visitor sees it.
type problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Details any    `json:"details,omitempty"`
}

// An ending is an error that ends an answer, with its code and text.
type ending struct {
	err        error
	code, text string
}

var endings = []ending{
	{chat.ErrNoToken, "no_token", "The answer has not begun in time."},
	{chat.ErrStalled, "stalled", "The answer has stalled."},
	{chat.ErrOffline, "offline", "The connection to the backend was lost."},
	{chat.ErrAborted, "aborted", "The answer was stopped."},
	{chat.ErrQuestionLost, "question_lost", "The question was lost. Please ask again."},
	{chat.ErrAmbiguous, "ambiguous", "The answer cannot be distinguished from another."},
	{chat.ErrIndex, "bad_index", "The parts of the answer are out of order."},
	{chat.ErrStopped, "stopped", "The service is stopping."},
	{chat.ErrTooLong, "too_long", "The answer is too long."},
	{ErrClosed, "stopped", "The service is stopping."},
	{errNoMessage, "incomplete", "The answer has ended early."},
}

// known sets the code and text of an error of endings.
func (p *problem) known(err error) bool {
	for _, e := range endings {
		if errors.Is(err, e.err) {
			p.Code, p.Message = e.code, e.text
			return true
		}
	}
	return false
}

// problemOf describes the error of an answer or of Ask.
func (c *Config) problemOf(err error) problem {
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused.problem
	}
	p := problem{Code: "internal", Message: "The answer has failed."}
	failure, fromBackend := errors.AsType[*events.AIError](err)
	_, gap := errors.AsType[*chat.GapError](err)
	_, unreadable := errors.AsType[*conn.DecodeError](err)
	_, notJoined := errors.AsType[*chat.JoinError](err)
	_, unsent := errors.AsType[*conn.SendError](err)
	switch {
	case fromBackend:
		p.Code = cmp.Or(failure.Code, "backend_error")
		p.Message = "The backend has reported an error."
	case gap:
		p.Code, p.Message = "gap", "A part of the answer is missing."
	case unreadable:
		p.Code, p.Message = "unreadable", "A part of the answer is not readable."
	case notJoined:
		p.Code, p.Message = "not_joined", "The chat could not be joined."
	case p.known(err):
	case unsent: // also if the time of Ask is over
		p.Code, p.Message = "unavailable", "The backend cannot be reached."
	case errors.Is(err, context.DeadlineExceeded):
		p.Code, p.Message = "timeout", "The answer has taken too long."
	}
	if c.ShowErrors {
		p.Message = err.Error()
		if fromBackend {
			p.Message = failure.Message
			if len(failure.Details) > 0 {
				p.Details = failure.Details
			}
		}
	}
	return p
}

// A refusal is the error of a request that is not answered by a stream.
type refusal struct {
	status int
	problem
	noRetry bool // the question may have been asked
}

func (e *refusal) Error() string { return e.Message }

func refuse(status int, code, message string) *refusal {
	return &refusal{status: status, problem: problem{Code: code, Message: message}}
}

// errInterrupted refuses a request whose context has ended, although its reader
// may still be connected.
var errInterrupted = &refusal{
	status:  http.StatusServiceUnavailable,
	problem: problem{Code: "interrupted", Message: "The request was interrupted."},
	noRetry: true,
}

// refusalOf returns the refusal of a request after an error of Ask.
func (c *Config) refusalOf(err error) *refusal {
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused
	}
	failed, ok := errors.AsType[*conn.SendError](err)
	return &refusal{
		status: http.StatusServiceUnavailable, problem: c.problemOf(err),
		noRetry: !(ok && !failed.MaybeSent), // unless it is known that the question was not sent
	}
}

// write sends the refusal in the form of OpenAI's protocol. The other clients
// show the body as it is.
func (e *refusal) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	if e.noRetry {
		h.Set("X-Should-Retry", "false")
	}
	if e.status == http.StatusTooManyRequests {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(e.status)
	_ = json.NewEncoder(w).Encode(object{"error": e.openAI()}) // fails if the reader has left
}

// openAI returns the error object of OpenAI's protocol.
func (p problem) openAI() object {
	o := object{"message": p.Message, "type": "server_error", "code": p.Code, "param": nil}
	if p.Details != nil {
		o["details"] = p.Details
	}
	return o
}
