package chatnats

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

// maxFrame bounds the body of a frame that has several events.
const maxFrame = 32 << 10

// A relay sends the answer to one question to its asker. It keeps the events
// that the asker has not confirmed, to send them again.
type relay struct {
	service  *service
	key      relayKey
	question chat.Question
	inbox    string
	patience time.Duration // how long the asker may be silent
	ctx      context.Context
	cancel   context.CancelFunc
	wake     chan struct{}
	frame    []byte // reused for the next frame
	whole    bool   // all events of the stream were read; written before coming closes

	mu          sync.Mutex
	stream      *chat.Stream // nil until the question is sent
	next        int          // how many events the asker has
	again       bool         // the asker has lost the later ones
	lastMessage time.Time    // when the asker last sent a message
}

type relayKey struct{ chat, request, asker string }

// startAnswer accepts a question. It reports whether the message was processed.
// s.mu is held.
func (s *service) startAnswer(msg *nats.Msg, chatID events.ID) bool {
	var q question
	err := jsonv2.Unmarshal(msg.Data, &q)
	if err == nil {
		err = in(chatID, &q.ChatID, func() error { return nil })
	}
	if err != nil {
		_ = s.publish(msg.Reply, statusEnd, "0", replyOf(nil, err))
		return true
	}
	key := relayKey{tokenOf(q.ChatID), q.RequestID, q.Asker}
	if s.relays[key] != nil {
		return true // received twice
	}
	if len(s.relays) >= maxAnswers {
		return false
	}
	r := &relay{
		service: s, key: key, question: q.Question, inbox: msg.Reply, patience: milliseconds(msg, DefaultDeadline),
		wake: make(chan struct{}, 1), lastMessage: time.Now(),
	}
	s.bus.count.served.Add(1)
	r.ctx, r.cancel = context.WithCancel(s.ctx)
	s.relays[key] = r
	s.tenure.answers.Add(1)
	s.running.Go(func() { // ends with the answer, or when the asker is lost
		defer s.tenure.answers.Add(-1)
		r.run()
		r.cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.relays, key)
	})
	return true
}

// moved processes an asker's position in its answer, or its request to stop.
func (s *service) moved(msg *nats.Msg, verb string) {
	var p position
	if jsonv2.Unmarshal(msg.Data, &p) != nil {
		return
	}
	token := msg.Subject[len(msg.Subject)-lastToken(msg.Subject):]
	s.mu.Lock()
	r := s.relays[relayKey{token, p.Request, p.Asker}]
	s.mu.Unlock()
	if verb == verbStop {
		if r != nil && fenced(s.ctx) == nil {
			s.mu.Lock()
			if !s.closed {
				s.running.Go(func() { r.stop(p.Reason) }) // ends within a second
			}
			s.mu.Unlock()
		}
		s.respond(msg, statusAlive, nil)
		return
	}
	if r == nil {
		if p.Again { // the asker was silent for too long
			_ = s.publish(msg.Reply, statusEnd, strconv.Itoa(p.Next), endOf(ErrHolderLost))
		}
		return
	}
	r.mu.Lock()
	r.lastMessage = time.Now()
	r.next = max(r.next, p.Next)
	r.again = r.again || p.Again
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
	if p.Again {
		s.respond(msg, statusAlive, nil)
	}
}

func (r *relay) stop(reason string) {
	r.mu.Lock()
	stream := r.stream
	r.mu.Unlock()
	if stream != nil {
		stream.Abort(reason)
	}
	r.cancel()
}

// run asks the question, and sends the answer or the error.
func (r *relay) run() {
	r.send(statusTaken, 0, nil)
	r.watch()
	stream, err := r.service.client.Ask(r.ctx, r.question)
	if err != nil {
		if r.service.ctx.Err() != nil && !maybeSent(err) {
			r.send(statusNotTaken, 0, nil)
			return
		}
		r.send(statusEnd, 0, replyOf(nil, err))
		return
	}
	r.mu.Lock()
	r.stream = stream
	r.mu.Unlock()
	r.send(statusAsked, 0, nil)
	coming := make(chan events.Event, ahead)
	var reading sync.WaitGroup
	reading.Go(func() { // ends when the stream is read, or r.ctx ends
		defer close(coming)
		for event, err := range stream.Events() {
			if err != nil {
				break
			}
			select {
			case coming <- event:
			case <-r.ctx.Done():
				return
			}
		}
		r.whole = true
	})
	r.relay(coming)
	r.cancel()
	reading.Wait()
}

// watch ends the answer when the asker is lost. It checks in intervals with a
// timer, so that it needs no goroutine.
func (r *relay) watch() {
	switch {
	case r.lost():
		r.cancel()
	case r.ctx.Err() == nil:
		time.AfterFunc(r.patience/8, r.watch)
	}
}

// lost reports whether the asker was silent for too long. Without a connection
// the holder receives nothing, so the result is false.
func (r *relay) lost() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.lastMessage) > r.patience && r.service.bus.conn.IsConnected()
}

// relay sends the events and the end, until the asker has confirmed the end.
func (r *relay) relay(coming <-chan events.Event) {
	var kept [][]byte // the lines of the events that the asker has not confirmed
	base, sent := 0, 0
	ended := false
	for {
		r.mu.Lock()
		next, again := r.next, r.again
		r.again = false
		r.mu.Unlock()
		if n := min(next-base, len(kept)); n > 0 {
			kept = kept[n:]
			base += n
			sent = max(sent, base)
		}
		if again {
			sent = base
		}
		if ended && next > base+len(kept) {
			return // the asker has confirmed the end
		}
		if sent < base+len(kept) || again && ended {
			sent = r.sendEvents(base, sent, kept)
			if ended {
				r.sendEnd(sent)
			}
		}
		var source <-chan events.Event
		if !ended && len(kept) < ahead {
			source = coming
		}
		select {
		case event, open := <-source:
			for ; open; event, open = <-coming {
				kept = append(kept, line(event))
				if len(coming) == 0 || len(kept) >= ahead {
					break
				}
			}
			if !open {
				ended = true
				sent = r.sendEvents(base, sent, kept)
				r.sendEnd(sent)
			}
		case <-r.wake:
		case <-r.ctx.Done():
			if !ended {
				r.send(statusEnd, sent, endOf(ErrHolderLost))
			}
			return
		}
	}
}

// line encodes an event as a line of a frame.
func line(event events.Event) []byte {
	data, err := jsonv2.Marshal(event)
	if err != nil {
		data = []byte("null") // not a valid event: it ends the answer with an error
	}
	return append(append(append([]byte(event.Key()), ' '), data...), '\n')
}

// sendEvents sends the events from sent on, and returns how many are sent.
func (r *relay) sendEvents(base, sent int, kept [][]byte) int {
	limit := int(r.service.bus.conn.MaxPayload()) - 1024 // for the header
	for sent < base+len(kept) {
		first, offset := strconv.Itoa(sent), 0
		frame := append(r.frame[:0], kept[sent-base]...)
		sent++
		for sent < base+len(kept) && len(frame)+len(kept[sent-base]) < maxFrame {
			frame = append(frame, kept[sent-base]...)
			sent++
		}
		r.frame = frame
		for ; len(frame)-offset > limit; offset += limit {
			r.sendFrame(statusPart, first+"+"+strconv.Itoa(offset), frame[offset:offset+limit])
		}
		if offset > 0 {
			first += "+" + strconv.Itoa(offset)
		}
		r.sendFrame(statusEvents, first, frame[offset:])
	}
	return sent
}

func (r *relay) sendEnd(sent int) {
	_, err := r.stream.Wait()
	switch {
	case !r.whole:
		err = ErrHolderLost
	case err == nil:
		r.send(statusEnd, sent, replyOf(nil, nil))
		return
	case r.service.ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, chat.ErrStopped)):
		err = ErrHolderLost
	}
	r.send(statusEnd, sent, endOf(err))
}

// endOf returns the body of statusEnd for an answer whose question was sent.
func endOf(err error) []byte {
	data, failed := jsonv2.Marshal(reply{Failure: failureOf(err, true)})
	if failed != nil {
		data, _ = jsonv2.Marshal(reply{Failure: failureOf(ErrHolderLost, true)})
	}
	return data
}

func (r *relay) send(status string, first int, data []byte) {
	r.sendFrame(status, strconv.Itoa(first), data)
}

// sendFrame sends a frame. The asker requests lost frames again.
func (r *relay) sendFrame(status, place string, data []byte) {
	if err := r.service.publish(r.inbox, status, place, data); err != nil {
		r.service.bus.log.Debug("chatnats: frame not sent", "status", status, "error", err)
	}
}
