package chatnats

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// Limits of the concurrent work of a holder. It does not accept more.
const (
	maxCalls   = 8192
	maxAnswers = 8192
	maxWaiting = 64 << 20 // bytes of requests
)

// ErrNoLease: the ctx of Serve is not derived from that of hold in
// RunWithLease.
var ErrNoLease = errors.New("chatnats: Serve needs the ctx of RunWithLease")

// Serve handles the requests of every [Remote] of these chats with client,
// until ctx ends. ctx must be the context of hold in [RunWithLease], or derived
// from it; otherwise Serve returns [ErrNoLease]. Serve returns nil when ctx has
// ended, and an error if the connection to NATS is closed at the start.
//
// When ctx ends, requests that were not sent to the backend go to the next
// holder, and answers in flight end with [ErrHolderLost]. After a lost lease
// nothing more is sent to the backend.
//
// A request acts only in the chat of its subject. Its reply is sent only to a
// subject that starts with _INBOX.
func Serve(ctx context.Context, b *Bus, client *chat.Client, chats ...events.ID) error {
	h, ok := tenureOf(ctx)
	if !ok {
		return ErrNoLease
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &service{bus: b, client: client, ctx: ctx, tenure: h, chats: map[string]events.ID{}, relays: map[relayKey]*relay{}}
	s.calling, s.stopCalls = context.WithCancel(context.WithoutCancel(ctx))
	defer s.stopCalls()
	for _, id := range chats {
		s.chats[tokenOf(id)] = id
	}
	sub, err := b.conn.Subscribe(b.holder(h.token, h.tenure, "*"), s.receive)
	if err != nil {
		return err
	}
	defer s.close(sub, h)
	if err := b.conn.FlushWithContext(ctx); err != nil && b.conn.IsClosed() { // else it reconnects
		return err
	}
	<-ctx.Done()
	return nil
}

// A service handles the requests of one tenure with a client.
type service struct {
	bus    *Bus
	client *chat.Client
	ctx    context.Context
	tenure *tenureCtx
	chats  map[string]events.ID // by token

	calling   context.Context // of calls; ends a little later than ctx, so that they can return
	stopCalls context.CancelFunc
	running   sync.WaitGroup

	mu      sync.Mutex
	closed  bool // no new work is started
	calls   int  // running calls
	waiting int  // bytes of the requests of running calls
	relays  map[relayKey]*relay
}

// close rejects the requests that are not started, with statusNotTaken. It
// waits for the others for longPause, but not beyond the lease.
func (s *service) close(sub *nats.Subscription, h *tenureCtx) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	defer time.AfterFunc(min(longPause, h.left()), s.stopCalls).Stop()
	drained := sub.StatusChanged(nats.SubscriptionClosed)
	if sub.Drain() == nil {
		select {
		case <-drained:
		case <-time.After(longPause):
			_ = sub.Unsubscribe()
		}
	}
	s.running.Wait()
}

// receive is called by nats.go for each request, and does not block.
func (s *service) receive(msg *nats.Msg) {
	verb := msg.Header.Get(headerVerb)
	chatID, served := s.chats[msg.Subject[len(msg.Subject)-lastToken(msg.Subject):]]
	switch {
	case !replyable(msg.Reply):
		s.bus.log.Warn("chatnats: request refused", "verb", verb, "reply", msg.Reply)
	case verb == verbPing && fenced(s.ctx) == nil && s.ctx.Err() == nil:
		s.respond(msg, statusAlive, nil)
	case verb == verbNext, verb == verbStop:
		s.moved(msg, verb)
	case !served || fenced(s.ctx) != nil || !s.start(msg, verb, chatID):
		s.respond(msg, statusNotTaken, nil)
	}
}

func lastToken(subject string) int {
	n := 0
	for n < len(subject) && subject[len(subject)-1-n] != '.' {
		n++
	}
	return n
}

// start starts the work on a request, unless a limit is reached.
func (s *service) start(msg *nats.Msg, verb string, chatID events.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := len(msg.Data)
	if s.closed || s.ctx.Err() != nil || s.calls >= maxCalls || s.waiting+size > maxWaiting {
		return false
	}
	if verb == verbAsk {
		return s.startAnswer(msg, chatID)
	}
	s.bus.count.served.Add(1)
	s.calls++
	s.waiting += size
	s.running.Go(func() { // ends by the deadline in headerTime
		s.serve(msg, verb, chatID)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.calls--
		s.waiting -= size
	})
	return true
}

// serve handles a request. If the request was not sent before the tenure ended,
// the status is statusNotTaken, so that the next holder can accept it.
func (s *service) serve(msg *nats.Msg, verb string, chatID events.ID) {
	ctx, cancel := context.WithTimeout(s.calling, milliseconds(msg, DefaultDeadline))
	defer cancel()
	result, err := s.perform(ctx, verb, msg.Data, chatID)
	if err != nil && s.ctx.Err() != nil && !maybeSent(err) {
		s.respond(msg, statusNotTaken, nil)
		return
	}
	s.respond(msg, statusDone, replyOf(result, err))
}

func replyOf(result json.RawMessage, err error) []byte {
	r := reply{Reply: result}
	if err != nil {
		r.Failure = failureOf(err, maybeSent(err))
	}
	data, err := jsonv2.Marshal(r)
	if err != nil {
		data, _ = jsonv2.Marshal(reply{Failure: &failure{Text: "chatnats: the reply cannot be encoded", MaybeSent: true}})
	}
	return data
}

// respond replies to a request. A reply that is lost costs the asker its
// deadline.
func (s *service) respond(msg *nats.Msg, status string, data []byte) {
	if err := s.publish(msg.Reply, status, "", data); errors.Is(err, nats.ErrMaxPayload) {
		_ = s.publish(msg.Reply, status, "", replyOf(nil, &conn.SendError{Err: err, MaybeSent: true}))
	}
}

func (s *service) publish(subject, status, frame string, data []byte) error {
	header := nats.Header{headerStatus: {status}}
	if frame != "" {
		header[headerFrame] = []string{frame}
	}
	return s.bus.conn.PublishMsg(&nats.Msg{Subject: subject, Header: header, Data: data})
}

func maybeSent(err error) bool {
	if unsent, ok := errors.AsType[*conn.SendError](err); ok {
		return unsent.MaybeSent
	}
	if undelivered, ok := errors.AsType[*chat.DeliveryError](err); ok {
		return undelivered.MaybeSent
	}
	return false
}

func (s *service) perform(ctx context.Context, verb string, data []byte, id events.ID) (json.RawMessage, error) {
	switch verb {
	case verbSend:
		return nil, with(data, func(m events.UserMessage) error {
			return in(id, &m.ChatID, func() error { return s.client.SendMessage(ctx, m) })
		})
	case verbDeliver:
		var ack json.RawMessage
		err := with(data, func(m events.UserMessage) error {
			return in(id, &m.ChatID, func() (err error) {
				ack, err = s.client.Deliver(ctx, m)
				return err
			})
		})
		return ack, err
	case verbTypingStart, verbTypingStop:
		return nil, with(data, func(t events.Typing) error {
			return in(id, &t.ChatID, func() error { return s.client.Typing(ctx, verb == verbTypingStart, t) })
		})
	case verbAbort:
		return nil, with(data, func(a events.Abort) error {
			return in(id, &a.ChatID, func() error { return s.client.Abort(ctx, a) })
		})
	case verbRead:
		return nil, with(data, func(r events.Read) error {
			return in(id, &r.ChatID, func() error { return s.client.MarkRead(ctx, r) })
		})
	case verbEmit:
		return nil, with(data, func(e emission) error { return s.emit(ctx, e, id) })
	}
	return nil, errors.New("chatnats: unknown method")
}

// emit sends any event in a chat.
func (s *service) emit(ctx context.Context, e emission, id events.ID) error {
	var members map[string]json.RawMessage
	if err := jsonv2.Unmarshal(e.Payload, &members); err != nil {
		return err
	}
	if members == nil {
		members = map[string]json.RawMessage{}
	}
	var of events.ID
	if raw, found := members["chatId"]; found {
		if err := jsonv2.Unmarshal(raw, &of); err != nil {
			return err
		}
	}
	return in(id, &of, func() error {
		if !of.IsZero() {
			raw, err := jsonv2.Marshal(of)
			if err != nil {
				return err
			}
			members["chatId"] = raw
		}
		return s.client.Emit(ctx, e.Event, members)
	})
}

func with[T any](data []byte, f func(T) error) error {
	var body T
	if err := jsonv2.Unmarshal(data, &body); err != nil {
		return err
	}
	return f(body)
}

// in calls f if a body has the chat of its subject, or none. None is replaced
// by the chat of the subject.
func in(id events.ID, named *events.ID, f func() error) error {
	setDefault(named, id)
	if *named != id {
		return ErrOtherChat
	}
	return f()
}
