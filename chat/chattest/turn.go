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
	asker  *Socket
	q      events.UserMessage
	cancel context.CancelFunc
}

// turnKey is where the ctx of an Answer keeps its turn.
type turnKey struct{}

// SocketFromContext returns the client whose question is being answered: with the ctx that
// an [Answer] has got, or one made from it. With any other it returns nil.
func SocketFromContext(ctx context.Context) *Socket {
	if t, ok := ctx.Value(turnKey{}).(*turn); ok {
		return t.asker
	}
	return nil
}

// CallTool has the client whose question is being answered run a tool: it asks
// for an acknowledgement, waits for it, and returns what it says. A client that fails says
// {"error": …}, by custom. A chatId, traceId or requestId that the call leaves open is the question's.
// ctx is that of an [Answer]; the call ends with it. The error is that of [Socket.Call].
//
// To call a tool without asking for an acknowledgement, emit the call: the result
// is then an event of the client's own, which [Server.Next] and [Server.Handle] can wait for.
func CallTool(ctx context.Context, call events.AIToolCall) (json.RawMessage, error) {
	t, ok := ctx.Value(turnKey{}).(*turn)
	if !ok {
		return nil, ErrGone
	}
	s := t.asker.server
	return t.asker.Call(ctx, s.nameOf(call.Key()), s.envelopeOf(t.q).around(call))
}

// answer starts the answer to q.
func (s *Server) answer(k *Socket, q events.UserMessage) {
	t := &turn{asker: k, q: q}
	ctx, cancel := context.WithCancel(context.WithValue(k.io.Context(), turnKey{}, t))
	t.cancel = cancel
	s.turns[t] = struct{}{}

	emit := func(ev events.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		// Under the lock, so that what is acknowledged as aborted is silent.
		if ctx.Err() == nil {
			s.send(s.audience(k, q.ChatID), s.envelopeOf(q).around(ev))
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

// abort stops the answers that k hears and means. What it leaves out, requestId
// or chatId, narrows nothing down.
func (s *Server) abort(k *Socket, a events.Abort) {
	for t := range s.turns {
		if (a.RequestID == "" || a.RequestID == t.q.RequestID) &&
			(a.ChatID.IsZero() || a.ChatID == t.q.ChatID) &&
			slices.Contains(s.audience(t.asker, t.q.ChatID), k) {
			t.cancel()
		}
	}
}

// An envelope is what an event says about its whereabouts.
type envelope struct {
	chatID             events.ID
	traceID, requestID string
	anonymous          bool // the event is to have no requestId, even if it brings one
}

// envelopeOf is what belongs to a question.
func (s *Server) envelopeOf(q events.UserMessage) envelope {
	return envelope{q.ChatID, q.TraceID, q.RequestID, s.cfg.OmitRequestIDs}
}

// around fills in what ev leaves open of its envelope.
func (e envelope) around(ev events.Event) events.Event {
	v := reflect.New(reflect.Indirect(reflect.ValueOf(ev)).Type()).Elem()
	v.Set(reflect.Indirect(reflect.ValueOf(ev)))
	fill := func(field string, with any) {
		if f := v.FieldByName(field); f.IsZero() {
			f.Set(reflect.ValueOf(with))
		}
	}
	fill("ChatID", e.chatID)
	fill("TraceID", e.traceID)
	fill("RequestID", e.requestID)
	if e.anonymous {
		v.FieldByName("RequestID").SetZero()
	}
	return v.Interface().(events.Event)
}

// send sends an event to some clients. After Close it does nothing.
func (s *Server) send(to []*Socket, ev events.Event) {
	if s.ctx.Err() != nil {
		return
	}
	name := s.names[ev.Key()]
	payload, err := json.Marshal(ev)
	for _, k := range to {
		if err != nil {
			s.sendError(k, name, err)
			continue
		}
		_ = k.io.Emit(name, json.RawMessage(payload)) // a client that is gone misses it
	}
}

// sendError tells k with the server's own error event that something is wrong
// with an event, which either k or an Answer has sent.
func (s *Server) sendError(k *Socket, event string, err error) {
	problem, _ := json.Marshal(map[string]string{"event": event, "message": err.Error()}) // strings: it cannot fail
	_ = k.io.Emit(nameError, json.RawMessage(problem))
}
