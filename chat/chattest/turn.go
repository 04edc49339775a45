package chattest

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"

	"github.com/seed67206a74/parley/events"
)

// A turn is a question that is being answered.
type turn struct {
	asker  *member
	q      events.UserMessage
	cancel context.CancelFunc
}

// answer starts the answer to q.
func (s *Server) answer(m *member, q events.UserMessage) {
	ctx, cancel := context.WithCancel(m.ctx)
	t := &turn{m, q, cancel}
	s.turns[t] = struct{}{}

	emit := func(ev events.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		// Under the lock, so that what is acknowledged as aborted is silent.
		if ctx.Err() == nil {
			s.send(s.audience(m, q.ChatID), s.inTurn(q, ev))
		}
	}
	s.running.Go(func() { // ends when Answer returns, which it is asked to by ctx
		defer func() { // also if Answer is a test's, and fails it
			s.mu.Lock()
			defer s.mu.Unlock()
			cancel()
			delete(s.turns, t)
		}()
		s.cfg.Answer(ctx, q, emit)
	})
}

// abort stops the answers that m hears and means. What it leaves out, requestId
// or chatId, narrows nothing down.
func (s *Server) abort(m *member, a events.Abort) {
	for t := range s.turns {
		if (a.RequestID == "" || a.RequestID == t.q.RequestID) &&
			(a.ChatID.IsZero() || a.ChatID == t.q.ChatID) &&
			slices.Contains(s.audience(t.asker, t.q.ChatID), m) {
			t.cancel()
		}
	}
}

// inTurn fills in what ev leaves open of the envelope of the question it belongs to.
func (s *Server) inTurn(q events.UserMessage, ev events.Event) events.Event {
	v := reflect.New(reflect.Indirect(reflect.ValueOf(ev)).Type()).Elem()
	v.Set(reflect.Indirect(reflect.ValueOf(ev)))
	fill := func(field string, with any) {
		if f := v.FieldByName(field); f.IsZero() {
			f.Set(reflect.ValueOf(with))
		}
	}
	fill("ChatID", q.ChatID)
	fill("TraceID", q.TraceID)
	if s.cfg.OmitRequestIDs {
		v.FieldByName("RequestID").SetZero()
	} else {
		fill("RequestID", q.RequestID)
	}
	return v.Interface().(events.Event)
}

// send sends an event to some members. The library queues it without waiting,
// and sends what is queued for a member in order. After Close it does nothing.
func (s *Server) send(to []*member, ev events.Event) {
	if s.ctx.Err() != nil {
		return
	}
	name := s.names[ev.Key()]
	payload, err := json.Marshal(ev)
	for _, m := range to {
		if err != nil {
			s.sendError(m, name, err)
			continue
		}
		_ = m.socket.Emit(name, json.RawMessage(payload))
	}
}

// sendError tells m with the server's own error event that something is wrong
// with an event, which either m or an Answer has sent.
func (s *Server) sendError(m *member, event string, err error) {
	_ = m.socket.Emit(nameError, map[string]any{"event": event, "message": err.Error()})
}
