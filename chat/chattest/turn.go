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
	socket *Socket
	q      events.UserMessage
	cancel context.CancelFunc
}

// turnKey is the context key of the turn of an Answer.
type turnKey struct{}

// SocketFromContext returns the client whose question is being answered. ctx is
// that of an [Answer], or derived from it; for any other ctx the result is nil.
func SocketFromContext(ctx context.Context) *Socket {
	if t, ok := ctx.Value(turnKey{}).(*turn); ok {
		return t.socket
	}
	return nil
}

// CallTool calls a tool of the client whose question is being answered, and
// returns its acknowledgement. By convention this is {"error": …} if the tool
// fails. It sets a missing chatId, traceId or requestId of the call to that of
// the question. ctx is that of an [Answer]; the call ends with it. The error is
// that of [Socket.Call].
//
// To call a tool without asking for an acknowledgement, emit the call. The
// result is then an event of the client, for [Server.Next] and [Server.Handle].
func CallTool(ctx context.Context, call events.AIToolCall) (json.RawMessage, error) {
	t, ok := ctx.Value(turnKey{}).(*turn)
	if !ok {
		return nil, ErrGone
	}
	s := t.socket.server
	return t.socket.Call(ctx, s.nameOf(call.Key()), s.envelopeOf(t.q).around(call))
}

// answer starts the answer to q.
func (s *Server) answer(k *Socket, q events.UserMessage) {
	t := &turn{socket: k, q: q}
	ctx, cancel := context.WithCancel(context.WithValue(k.io.Context(), turnKey{}, t))
	t.cancel = cancel
	s.turns[t] = struct{}{}

	emit := func(ev events.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		// Under the lock: no event follows the acknowledgement of an abort.
		if ctx.Err() == nil {
			s.send(s.audience(k, q.ChatID), s.envelopeOf(q).around(ev))
		}
	}
	s.running.Go(func() { // ends when Answer returns, at the latest after ctx
		defer func() { // also if Answer is a test's, and fails it
			s.mu.Lock()
			defer s.mu.Unlock()
			cancel()
			delete(s.turns, t)
		}()
		s.cfg.Answer(ctx, q, emit)
	})
}

// abort stops the answers that k receives and names. A missing requestId or
// chatId matches any.
func (s *Server) abort(k *Socket, a events.Abort) {
	for t := range s.turns {
		if (a.RequestID == "" || a.RequestID == t.q.RequestID) &&
			(a.ChatID.IsZero() || a.ChatID == t.q.ChatID) &&
			slices.Contains(s.audience(t.socket, t.q.ChatID), k) {
			t.cancel()
		}
	}
}

// An envelope holds the ids that tie an event to its question.
type envelope struct {
	chatID             events.ID
	traceID, requestID string
	anonymous          bool // the event gets no requestId, even if it has one
}

// envelopeOf returns the envelope of a question.
func (s *Server) envelopeOf(q events.UserMessage) envelope {
	return envelope{q.ChatID, q.TraceID, q.RequestID, s.cfg.OmitRequestIDs}
}

// around returns ev with its missing ids added.
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

// sendError sends k the error event about an event that k or an Answer has
// sent.
func (s *Server) sendError(k *Socket, event string, err error) {
	// Strings can always be encoded.
	problem, _ := json.Marshal(map[string]string{"event": event, "message": err.Error()})
	_ = k.io.Emit(nameError, json.RawMessage(problem))
}
