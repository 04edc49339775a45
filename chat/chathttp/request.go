package chathttp

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

// A question is a visitor's question in the form of any protocol.
type question struct {
	chatID string
	text   string
	parts  []events.Part
}

// A protocol is one form of questions and answers.
type protocol struct {
	// parse reads a question. Its error is a *refusal, or that of a JSON
	// decoder.
	parse func(r *http.Request, body []byte) (question, error)

	contentType string
	headers     func(h http.Header, e *entry) // may be nil
	encoder     func(out *frames, e *entry, cfg *Config) encoder
	whole       func() bool // reports whether to send one object; may be nil
}

// answerQuestion asks the question of a request and streams its answer.
func (s *Server) answerQuestion(w http.ResponseWriter, r *http.Request, p protocol) {
	e, err := s.accept(w, r, p)
	if err != nil {
		s.refuse(w, err)
		return
	}
	defer s.answers.leave(e)
	if p.whole != nil && p.whole() {
		s.sendWhole(w, r, e, p)
		return
	}
	s.stream(w, r, e, p, 0)
}

// accept begins to ask the question of a request, and returns its entry with
// one reader. It is a function of its own because its large variables would
// double the stack while the answer streams.
func (s *Server) accept(w http.ResponseWriter, r *http.Request, p protocol) (*entry, error) {
	request, q, err := s.question(w, r, p)
	if err != nil {
		return nil, err
	}
	if !canFlush(w) {
		s.cfg.Logger.ErrorContext(r.Context(), "chathttp: response writer cannot flush")
		return nil, refuse(http.StatusInternalServerError, "internal", "This server cannot stream.")
	}
	return s.begin(request, q)
}

// question authorizes a request and reads its question.
func (s *Server) question(w http.ResponseWriter, r *http.Request, p protocol) (request Request, q chat.Question, err error) {
	request = Request{Request: r}
	if request.Visitor, err = s.sender(r, true); err != nil {
		return request, q, err
	}
	if request.Body, err = s.body(w, r); err != nil {
		return request, q, err
	}
	asked, err := p.parse(r, request.Body)
	if _, refused := errors.AsType[*refusal](err); err != nil && !refused {
		err = refuse(http.StatusBadRequest, "bad_request", "The request is not valid JSON of this protocol.")
	}
	if err != nil {
		return request, q, err
	}
	if asked.text == "" && len(asked.parts) == 0 {
		return request, q, errNoQuestion
	}
	if request.ChatID = asked.chatID; slices.Contains(noSegments, request.ChatID) {
		return request, q, errChatID
	}
	if request.ChatID, err = s.cfg.Chat(request); err != nil {
		return request, q, errForbidden
	}
	if request.ChatID == "" {
		request.ChatID, request.own = rand.Text(), true
	} else if !request.Visitor.may(request.ChatID) {
		return request, q, errForbidden
	}
	return request, chat.Question{
		UserID: request.Visitor.UserID, Text: asked.text, Parts: asked.parts,
		ChatID: s.cfg.Room(request.Visitor, request.ChatID),
	}, nil
}

// sender authorizes a request. If it changes something, it must be of the same
// origin, even if its method is GET.
func (s *Server) sender(r *http.Request, changes bool) (Visitor, error) {
	if changes {
		if r.Method == http.MethodHead {
			return Visitor{}, refuse(http.StatusMethodNotAllowed, "bad_request", "HEAD is not supported.")
		}
		unsafe := *r
		unsafe.Method = http.MethodPost
		if s.cfg.CrossOrigin.Check(&unsafe) != nil {
			return Visitor{}, refuse(http.StatusForbidden, "cross_origin", "Requests of other origins are refused.")
		}
	}
	visitor, err := s.cfg.Authorize(r)
	switch {
	case errors.Is(err, ErrForbidden), err == nil && visitor.UserID.IsZero():
		return Visitor{}, errForbidden
	case err != nil:
		return Visitor{}, refuse(http.StatusUnauthorized, "unauthorized", "The request has no valid credentials.")
	}
	return visitor, nil
}

var (
	errForbidden  = refuse(http.StatusForbidden, "forbidden", "The visitor may not use this chat.")
	errNoQuestion = refuse(http.StatusBadRequest, "no_question", "The last message is no question of the user.")

	errChatID = refuse(http.StatusBadRequest, "bad_chat_id", "The chat id cannot be a part of a path.")
)

// noSegments are the chat ids that the path of a resume or a stop cannot have.
// A browser removes the dots, and http.ServeMux does not match an encoded slash
// alone.
var noSegments = []string{".", "..", "/"}

func (v Visitor) may(chat string) bool { return v.MayUse != nil && v.MayUse(chat) }

// body reads the body of a request.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.cfg.MaxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, refuse(http.StatusRequestEntityTooLarge, "too_large", "The request is too large.")
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "bad_request", "The request ended early.")
	}
	return body, nil
}

// refuse answers a request with an error.
func (s *Server) refuse(w http.ResponseWriter, err error) { s.cfg.refusalOf(err).write(w) }

// A target is the answer that a resume or a stop asks for.
type target struct {
	visitor Visitor
	id      string // of the request; with last, it may be that of the chat
	chat    string // of Config.Chat; empty if the request id suffices
	last    bool   // the last answer of the chat is meant as well
}

// target returns the target of a request with the id of an answer. chat is the
// id of the chat as the browser sends it; it may be empty.
func (s *Server) target(r *http.Request, visitor Visitor, body []byte, id, chat string, last bool) (target, error) {
	t := target{visitor: visitor, id: id, last: last}
	if s.answers.find(t) != nil {
		return t, nil
	}
	var err error
	if t.chat, err = s.cfg.Chat(Request{Request: r, Visitor: visitor, ChatID: chat, Body: body}); err != nil {
		return t, errForbidden
	}
	return t, nil
}

// lookup returns the answer of a target, or nil if there is none. It returns
// errForbidden if the visitor may no longer use the chat.
func (s *Server) lookup(t target) (*entry, error) {
	e := s.answers.find(t)
	if e != nil && !e.own && !t.visitor.may(e.key.chat) {
		return nil, errForbidden
	}
	return e, nil
}

// join returns the answer of a target, with one more reader, or nil. The caller
// calls leave.
func (s *Server) join(t target) (*entry, error) {
	if e, err := s.lookup(t); err != nil || e == nil {
		return nil, err
	}
	return s.answers.join(t)
}

// resume streams an answer again, without its first skip frames. If there is no
// such answer, or if it has ended and has no further frames, the response has
// the status 204. The parameters id, chat and last are those of target.
func (s *Server) resume(w http.ResponseWriter, r *http.Request, p protocol, id, chat string, last bool, skip int) {
	visitor, err := s.sender(r, false)
	if err != nil {
		s.refuse(w, err)
		return
	}
	var e *entry
	t, err := s.target(r, visitor, nil, id, chat, last)
	if err == nil {
		e, err = s.join(t)
	}
	if err == nil && e == nil {
		e, err = s.adopt(r, t, false)
	}
	switch {
	case err != nil:
		s.refuse(w, err)
	case e == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		defer s.answers.leave(e)
		if r.Method == http.MethodHead || skip > 0 && !s.answers.inFlight(e) && !s.hasMore(e, p, skip) {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		s.stream(w, r, e, p, skip)
	}
}

// Stop stops an answer. Its route has the id of a chat or of a request:
//
//	mux.HandleFunc("POST /api/chat/{id}/stop", server.Stop)
//
// The body may be empty, or an object. If its member activeStreamId has another
// id than the last request of the chat, nothing is stopped. The response has
// the status 200, also if no answer is in flight.
func (s *Server) Stop(w http.ResponseWriter, r *http.Request) {
	visitor, err := s.sender(r, true)
	if err != nil {
		s.refuse(w, err)
		return
	}
	body, err := s.body(w, r)
	if err != nil {
		s.refuse(w, err)
		return
	}
	var stop struct {
		ActiveStreamID *string `json:"activeStreamId"`
	}
	_ = json.Unmarshal(body, &stop) // a body that is no JSON stops as well
	var e *entry
	id := r.PathValue("id")
	t, err := s.target(r, visitor, body, id, id, true)
	if err == nil {
		e, err = s.lookup(t)
	}
	if err == nil && e == nil {
		if e, err = s.adopt(r, t, true); e != nil {
			defer s.answers.leave(e)
		}
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	stopped := e != nil && (stop.ActiveStreamID == nil || *stop.ActiveStreamID == e.requestID) && s.answers.inFlight(e)
	if stopped {
		e.abort("stopped by the user")
	}
	w.Header().Set("Content-Type", "application/json")
	// It fails if the reader has left.
	_ = json.NewEncoder(w).Encode(map[string]bool{"success": true, "stopped": stopped})
}
