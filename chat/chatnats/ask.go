package chatnats

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

const (
	ahead    = 256 // events of an answer that are sent and not confirmed by the asker
	ackAfter = 64  // events for one confirmation by the asker
)

// Ask asks a question through the holder, and returns its answer when the
// question has been sent to the backend. ctx also bounds the answer: when ctx
// ends first, the holder sends ai:abort, and the answer ends with the error of
// ctx.
//
// After a lost connection to NATS, the missing events are requested again. If
// the holder sends nothing for Deadline, the answer ends with [ErrHolderLost].
// The rest of that answer may be in the stream of [Forward], under the
// request's id.
//
// Ask returns a [*RemoteError], or the error of ctx. The cause is
// [ErrNoHolder], [ErrHolderLost], or an error of the holder's client, such as
// chat.ErrDuplicateRequest for a request id that is in flight.
func (r *Remote) Ask(ctx context.Context, q chat.Question) (*Stream, error) {
	setDefault(&q.MessageID, rand.Text())
	setDefault(&q.RequestID, rand.Text())
	setDefault(&q.ChatID, r.ChatID)
	s := &Stream{
		remote: r, ctx: ctx, question: q, asker: rand.Text(), inbox: r.Bus.conn.NewInbox(),
		done: make(chan struct{}), out: make(chan struct{}), aborted: make(chan string),
	}
	frames := make(chan *nats.Msg, 2*ahead)
	sub, err := r.Bus.conn.ChanSubscribe(s.inbox, frames)
	if err != nil {
		return nil, &RemoteError{Verb: verbAsk, Err: err}
	}
	go func() { // ends with the answer
		defer close(s.done)
		defer func() { _ = sub.Unsubscribe() }()
		s.err = s.run(frames)
	}()
	select {
	case <-s.out:
		return s, nil
	case <-s.done:
		if s.asked {
			return s, nil
		}
		return nil, s.err
	}
}

// errNotTaken: a holder did not accept the question.
var errNotTaken = errors.New("chatnats: the question was not taken")

// run asks until a holder accepts the question, and follows the answer. It
// returns the error with which the answer ended.
func (s *Stream) run(frames <-chan *nats.Msg) error {
	data, err := jsonv2.Marshal(question{s.question, s.asker})
	if err != nil {
		return &RemoteError{Verb: verbAsk, Err: err}
	}
	b, lease, chat := s.remote.Bus, s.remote.lease(), tokenOf(s.question.ChatID)
	if s.question.ChatID != s.remote.ChatID {
		return &RemoteError{Verb: verbAsk, Err: ErrOtherChat}
	}
	asking, cancel := context.WithTimeoutCause(s.ctx, s.remote.deadline(), ErrHolderLost)
	defer cancel()
	for {
		if s.revision, err = b.find(asking, lease, chat); err != nil {
			return &RemoteError{Verb: verbAsk, Err: withCause(asking, err)}
		}
		msg := s.remote.message(asking, b.holder(lease, s.revision, chat), verbAsk, data)
		// How long the holder waits for a message of this asker.
		msg.Header.Set(headerTime, strconv.FormatInt(s.remote.deadline().Milliseconds(), 10))
		msg.Reply = s.inbox
		if err := b.conn.PublishMsg(msg); err != nil {
			return &RemoteError{Verb: verbAsk, Err: err}
		}
		if err := s.follow(frames); !errors.Is(err, errNotTaken) {
			return err
		}
		if err := b.again(asking, lease, s.revision); err != nil {
			return &RemoteError{Verb: verbAsk, Err: withCause(asking, err)}
		}
	}
}

// follow reads the frames of the answer until it has ended. If frames are
// missing or none arrive, it requests the frames after the last event again.
func (s *Stream) follow(frames <-chan *nats.Msg) error {
	deadline := s.remote.deadline()
	tick := time.NewTicker(deadline / 8)
	defer tick.Stop()
	lastReply := time.Now()
	taken := false  // whether the holder has accepted the question
	confirmed := 0  // how many events were confirmed to the holder
	wanted := -1    // the event that was requested again
	arrived := true // events have arrived since the last tick
	for {
		again := false
		select {
		case msg := <-frames:
			status := msg.Header.Get(headerStatus)
			switch {
			case msg.Header.Get("Status") == "503" && taken:
				continue // the holder may come back until the deadline
			case status == statusNotTaken && !s.asked, !taken && status != statusTaken && status != statusEnd:
				return errNotTaken
			}
			lastReply, taken = time.Now(), true
			before := len(s.events)
			missing, ended, err := s.take(msg, status)
			if ended {
				s.sendPosition(verbNext, position{Next: len(s.events) + 1})
				return err
			}
			arrived = arrived || len(s.events) > before
			again = missing && wanted != len(s.events)
			if !again && len(s.events)-confirmed < ackAfter {
				continue
			}
		case <-tick.C:
			if time.Since(lastReply) > deadline {
				return s.lost(ErrHolderLost)
			}
			again, arrived = !arrived, false
		case <-s.ctx.Done():
			s.stop("")
			return s.ctx.Err()
		case reason := <-s.aborted:
			s.stop(reason)
			return chat.ErrAborted
		}
		if confirmed = len(s.events); again {
			wanted = confirmed
		}
		s.sendPosition(verbNext, position{Next: confirmed, Again: again})
	}
}

// lost returns the error of an answer whose question may have been sent.
func (s *Stream) lost(err error) error {
	return &RemoteError{Verb: verbAsk, MaybeSent: true, Err: err}
}

// sendPosition sends the asker's position in the answer to the holder. The
// message may be lost.
func (s *Stream) sendPosition(verb string, p position) {
	_ = s.remote.Bus.conn.PublishMsg(s.about(verb, p))
}

func (s *Stream) about(verb string, p position) *nats.Msg {
	p.Request, p.Asker = s.question.RequestID, s.asker
	msg := nats.NewMsg(s.remote.Bus.holder(s.remote.lease(), s.revision, tokenOf(s.question.ChatID)))
	msg.Header.Set(headerVerb, verb)
	msg.Reply = s.inbox
	msg.Data, _ = jsonv2.Marshal(p) // it cannot fail: the question was encoded
	return msg
}

// stop asks the holder to end the answer, and waits for a second at most.
func (s *Stream) stop(reason string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), time.Second)
	defer cancel()
	msg := s.about(verbStop, position{Reason: reason})
	msg.Reply = ""
	// On failure, the holder's timeout for the asker ends the answer.
	_, _ = s.remote.Bus.conn.RequestMsgWithContext(ctx, msg)
}

// take processes a frame. It reports whether an earlier frame is missing,
// whether the answer has ended, and the error that ended it.
func (s *Stream) take(msg *nats.Msg, status string) (missing, ended bool, err error) {
	if status != statusAsked && status != statusEvents && status != statusPart && status != statusEnd {
		return false, false, nil
	}
	place, digits, _ := strings.Cut(msg.Header.Get(headerFrame), "+")
	first, err := strconv.Atoi(place)
	if err != nil || first > len(s.events) {
		return true, false, nil
	}
	offset, _ := strconv.Atoi(digits) // 0 without an offset
	switch {
	case status == statusAsked:
		s.isAsked()
	case status == statusEnd:
		if first == len(s.events) {
			return false, true, s.end(msg.Data)
		}
	case offset == 0:
		s.part = nil
	case offset != len(s.part):
		return first == len(s.events), false, nil
	}
	if status == statusPart {
		s.part = append(s.part, msg.Data...)
	}
	if status == statusEvents {
		data := append(s.part, msg.Data...)
		s.part = nil
		s.isAsked()
		ended, err = s.takeEvents(first, data)
	}
	return false, ended, err
}

func (s *Stream) takeEvents(first int, data []byte) (ended bool, err error) {
	skip := len(s.events) - first // received before
	var more []events.Event
	for line := range bytes.Lines(data) {
		if skip > 0 {
			skip--
			continue
		}
		key, body, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
		event, err := events.Decode(events.Key(key), body)
		if err != nil {
			return true, s.lost(err)
		}
		if m, ok := event.(events.AIMessage); ok {
			s.message = m
		}
		more = append(more, event)
	}
	if err := s.add(more); err != nil {
		s.stop("")
		return true, err
	}
	return false, nil
}

// end decodes the error with which the holder ended the answer.
func (s *Stream) end(data []byte) error {
	var how reply
	err := jsonv2.Unmarshal(data, &how)
	switch {
	case err != nil:
		return s.lost(err)
	case how.Failure == nil:
		return nil
	case !s.asked, how.Failure.Known == ErrHolderLost.Error():
		return &RemoteError{Verb: verbAsk, MaybeSent: how.Failure.MaybeSent, Err: how.Failure.err()}
	}
	return how.Failure.err()
}
