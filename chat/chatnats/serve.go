package chatnats

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

const (
	serving   = 1024            // requests that a holder works on at a time; more wait
	remembers = time.Minute     // how long a holder knows an answer that has ended
	beat      = time.Second / 2 // how often it asks an asker whether it is still there
)

// Serve lets every [Remote] of these chats speak through client, until ctx ends;
// questions in flight are aborted then. Whoever holds the chats calls it, with the ctx
// of [RunWithLease]. It returns nil when ctx has ended, or why there is no
// connection to NATS any more.
func Serve(ctx context.Context, b *Bus, client *chat.Client, chats ...events.ID) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &service{bus: b, client: client, ctx: ctx, asked: map[string]*asked{}}
	requests := make(chan *nats.Msg, serving)
	for _, id := range chats {
		// One of a queue group: while one holder follows another, one of them answers.
		sub, err := b.conn.ChanQueueSubscribe(b.holder(id), "holder", requests)
		if err != nil {
			return err
		}
		defer func() { _ = sub.Unsubscribe() }()
	}
	if err := b.conn.FlushWithContext(ctx); err != nil && b.conn.IsClosed() { // else it reconnects
		return err
	}
	slots := make(chan struct{}, serving)
	defer s.running.Wait()
	defer cancel()
	for {
		select {
		case msg := <-requests:
			if fenced(ctx) != nil {
				return nil // somebody else may hold the chat
			}
			if msg.Header.Get(headerVerb) == verbAsk {
				s.running.Go(func() { s.ask(msg) }) // ends with the answer
				continue
			}
			slots <- struct{}{}
			s.running.Go(func() { // ends with the time that the asker gives it
				defer func() { <-slots }()
				s.serve(msg)
			})
		case <-ctx.Done():
			return nil
		}
	}
}

// A service answers requests with a client.
type service struct {
	bus     *Bus
	client  *chat.Client
	ctx     context.Context
	running sync.WaitGroup

	mu    sync.Mutex
	asked map[string]*asked // by request id
}

func (s *service) serve(msg *nats.Msg) {
	ctx, cancel := context.WithCancel(s.ctx)
	if ms, err := strconv.Atoi(msg.Header.Get(headerTime)); err == nil {
		ctx, cancel = context.WithTimeout(s.ctx, time.Duration(ms)*time.Millisecond)
	}
	defer cancel()
	verb := msg.Header.Get(headerVerb)
	reply, err := s.perform(ctx, verb, msg.Data)
	a := answer{Reply: reply}
	if err != nil {
		a.Failure = failureOf(err, maybeSent(err))
	}
	data, err := jsonv2.Marshal(a)
	if err != nil {
		s.bus.log.Error("chatnats: a reply cannot be written", "verb", verb, "error", err)
		return
	}
	_ = msg.Respond(data) // else the asker's deadline tells it
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

func (s *service) perform(ctx context.Context, verb string, data []byte) (json.RawMessage, error) {
	switch verb {
	case verbSend:
		return nil, with(data, func(m events.UserMessage) error { return s.client.SendMessage(ctx, m) })
	case verbDeliver:
		var reply json.RawMessage
		err := with(data, func(m events.UserMessage) (err error) {
			reply, err = s.client.Deliver(ctx, m)
			return err
		})
		return reply, err
	case verbTypingStart:
		return nil, with(data, func(id events.ID) error { return s.client.TypingStart(ctx, id) })
	case verbTypingStop:
		return nil, with(data, func(id events.ID) error { return s.client.TypingStop(ctx, id) })
	case verbAbort:
		return nil, with(data, func(a events.Abort) error { return s.client.Abort(ctx, a) })
	case verbRead:
		return nil, with(data, func(r events.Read) error { return s.client.MarkRead(ctx, r) })
	case verbEmit:
		return nil, with(data, func(e emission) error { return s.client.Emit(ctx, e.Event, e.Payload) })
	}
	return nil, errors.New("chatnats: no such verb")
}

func with[T any](data []byte, f func(T) error) error {
	var body T
	if err := jsonv2.Unmarshal(data, &body); err != nil {
		return err
	}
	return f(body)
}

// asking is the body of a question.
type asking struct {
	chat.Question
	From   int  // the frame to begin with
	Resume bool // the question was asked before: it must not be sent again
}

// asked is a question that was asked for somebody.
type asked struct {
	cancel context.CancelFunc // ends the stream
	quit   context.CancelFunc // ends the relay that is under way

	out    chan struct{} // closed when the question is out, or has failed
	stream *chat.Stream
	err    error
}

// ask asks a question, or goes on with the answer to one that was asked before.
// What becomes of it travels in frames: number 0 says that the question is out,
// each event of the answer is another one, and the last one says how it ended.
func (s *service) ask(msg *nats.Msg) {
	var q asking
	inbox := msg.Header.Get(headerInbox)
	if err := jsonv2.Unmarshal(msg.Data, &q); err != nil || inbox == "" {
		return
	}
	_ = msg.Respond(nil) // it has arrived
	relaying, quit := context.WithCancel(s.ctx)
	defer quit()
	s.mu.Lock()
	a := s.asked[q.RequestID]
	switch {
	case a != nil:
		a.quit() // this relay takes the place of the one before it
		a.quit = quit
	case !q.Resume:
		ctx, cancel := context.WithCancel(s.ctx)
		a = &asked{cancel: cancel, quit: quit, out: make(chan struct{})}
		s.asked[q.RequestID] = a
		s.running.Go(func() { // ends with ctx
			defer close(a.out)
			a.stream, a.err = s.client.Ask(ctx, q.Question)
		})
	}
	s.mu.Unlock()
	if a == nil {
		s.frame(inbox, q.From, frameEnd, answer{Failure: failureOf(ErrHolderLost, true)})
		return
	}
	s.running.Go(func() { s.watch(relaying, inbox, a) }) // ends with the relay
	if !s.relay(relaying, inbox, q.From, a) {
		return
	}
	a.cancel()
	time.AfterFunc(remembers, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.asked, q.RequestID)
	})
}

// relay sends frames from one on, and reports whether it sent the last one. It
// ends before that with ctx.
func (s *service) relay(ctx context.Context, inbox string, from int, a *asked) (whole bool) {
	n := 0
	send := func(kind string, body any) {
		if n >= from && ctx.Err() == nil {
			s.frame(inbox, n, kind, body)
		}
		n++
	}
	select {
	case <-a.out:
	case <-ctx.Done():
		return false
	}
	if a.err != nil {
		send(frameEnd, answer{Failure: failureOf(a.err, maybeSent(a.err))})
		return true
	}
	send(frameAsked, nil)
	for event, err := range a.stream.Events() {
		if err != nil {
			send(frameEnd, answer{Failure: failureOf(err, true)})
			return true
		}
		send(string(event.Key()), event)
		if ctx.Err() != nil {
			return false
		}
	}
	send(frameEnd, answer{})
	return true
}

// watch makes sure that there is somebody who wants the answer: it asks now and
// then, which also tells the asker that the holder lives.
func (s *service) watch(ctx context.Context, inbox string, a *asked) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	missed := 0
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		asking, cancel := context.WithTimeout(ctx, beat)
		_, err := s.bus.conn.RequestWithContext(asking, inbox+".beat", nil)
		cancel()
		if !errors.Is(err, nats.ErrNoResponders) {
			missed = 0
			continue
		}
		if missed++; missed == 3 { // the asker is gone
			a.cancel()
			return
		}
	}
}

// The kinds of frames, besides the keys of events.
const (
	frameAsked = "asked"
	frameEnd   = "end"

	headerKind  = "Parley-Kind"
	headerFrame = "Parley-Frame"
)

func (s *service) frame(inbox string, n int, kind string, body any) {
	msg := nats.NewMsg(inbox + ".frame")
	msg.Header.Set(headerKind, kind)
	msg.Header.Set(headerFrame, strconv.Itoa(n))
	var err error
	if body != nil {
		if msg.Data, err = jsonv2.Marshal(body); err != nil {
			s.bus.log.Error("chatnats: a frame cannot be written", "kind", kind, "error", err)
			return
		}
	}
	_ = s.bus.conn.PublishMsg(msg) // a frame that is lost is asked for again
}
