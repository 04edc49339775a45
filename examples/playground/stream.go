package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

const (
	meterEvery   = 200 * time.Millisecond
	quietEvery   = 15 * time.Second // between comments on an idle stream
	writeTimeout = 10 * time.Second // for a tab that has stopped reading
)

// stream opens a session for a tab and sends its events as server-sent events
// until the tab is closed. It runs in the goroutine of the handler. When the
// tab reads slowly, its writes block, the subscriptions buffer the events, and
// at their limit the policies apply. The connection to the backend is not
// delayed.
func (p *playground) stream(w http.ResponseWriter, r *http.Request) {
	user, room := r.FormValue("user"), r.FormValue("room")
	if user == "" || room == "" || len(user) > 40 || len(room) > 40 {
		http.Error(w, "user and room have 1 to 40 bytes", http.StatusBadRequest)
		return
	}
	s, err := p.openSession(r.Context(), user, room)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer s.close()
	defer p.add(s)()

	w.Header().Set("Content-Type", "text/event-stream")
	out := &sse{w: w, control: http.NewResponseController(w)}
	out.send("hello", map[string]any{"session": s.id, "user": user, "room": room, "backend": p.backend})
	s.sendEvents(s.ctx, out)
}

// sendEvents sends events to the tab until ctx ends, a write fails, or the
// buffer of the conversation is full.
func (s *session) sendEvents(ctx context.Context, out *sse) {
	chatter := subscribe(ctx, "conversation", s.client.Events, 4096, bus.Fail, eventKey)
	raw := subscribe(ctx, "event log", s.client.Raw, 1024, bus.DropOldest, rawKey)
	states := subscribe(ctx, "states", s.client.States, 64, bus.DropOldest, stateKey)
	frames := s.tap.frames.Chan(ctx, bus.Limit(maxFrames), bus.OnOverflow(bus.DropOldest))
	latest := bus.OnOverflow(bus.DropOldest) // these close with ctx only
	problems := s.client.DecodeErrors.Chan(ctx, latest)
	complaints := s.client.ServerErrors.Chan(ctx, latest)
	sent := s.sent.Chan(ctx, latest)
	outcomes := s.outcomes.Chan(ctx, latest)
	renamed := s.client.Names.Chan(ctx, latest)
	s.connect() // after all subscriptions, so that no event is lost

	tick := time.NewTicker(meterEvery)
	defer tick.Stop()
	for out.err == nil && ctx.Err() == nil {
		select {
		case event, open := <-chatter.C():
			if !open {
				return // ctx has ended, or the buffer is full: the tab reconnects
			}
			chatter.took(event)
			out.send("chat", chatEvent{event.Key(), event})
		case event, open := <-raw.C():
			if open {
				raw.took(event)
				s.sendRaw(out, event)
			}
		case state, open := <-states.C():
			if open {
				states.took(state)
				out.send("state", stateOf(state))
			}
		case p, open := <-problems:
			if open {
				out.send("problem", problem{p.Event, p.Error(), string(p.Raw)})
			}
		case p, open := <-complaints:
			if open {
				out.send("problem", problem{"error", p.Error(), string(p.Raw)})
			}
		case event, open := <-sent:
			if open {
				out.send("log", logged{Sent: true, Name: event.Name, Args: []any{event.Payload}})
			}
		case f, open := <-frames:
			if open {
				out.send("frame", f)
			}
		case end, open := <-outcomes:
			if open {
				out.send("outcome", end)
			}
		case now, open := <-renamed:
			if open {
				out.send("names", now)
			}
		case <-tick.C:
			readings := []reading{chatter.read(), raw.read(), states.read()}
			if slow, ok := s.readReader(); ok {
				readings = append(readings, slow)
			}
			out.update("meters", readings)
		case <-ctx.Done():
		}
	}
}

// sendRaw sends an event for the log. chat.Client has no topics for typing and
// read receipts, so sendRaw recognizes them by their current names.
func (s *session) sendRaw(out *sse, event conn.Event) {
	out.send("log", logged{Name: event.Name, Args: event.Args})
	switch event.Name {
	case s.client.EventName(events.KeyUserTypingStart):
		sendPayload[events.Typing](out, "typing", event)
	case s.client.EventName(events.KeyUserTypingStop):
		sendPayload[events.Typing](out, "typed", event)
	case s.client.EventName(events.KeyChatRead):
		sendPayload[events.Read](out, "read", event)
	}
}

// sendPayload sends the payload of an event, if it can be decoded.
func sendPayload[T any](out *sse, kind string, event conn.Event) {
	var payload T
	if event.Decode(0, &payload) == nil {
		out.send(kind, payload)
	}
}

type chatEvent struct {
	Key     events.Key   `json:"key"`
	Payload events.Event `json:"payload"`
}

type logged struct {
	Sent bool   `json:"sent,omitempty"`
	Name string `json:"name"`
	Args any    `json:"args"`
}

type connState struct {
	Phase     string `json:"phase"`
	Attempt   int    `json:"attempt"`
	DelayMs   int64  `json:"delayMs"`
	Error     string `json:"error,omitempty"`
	SessionID string `json:"sessionId,omitempty"`
	Recovered bool   `json:"recovered,omitempty"`
}

func stateOf(s conn.State) connState {
	state := connState{s.Phase.String(), s.Attempt, s.Delay.Milliseconds(), "", s.SessionID, s.Recovered}
	if s.Err != nil {
		state.Error = s.Err.Error()
	}
	return state
}

// A problem is an error from the backend, or a payload that could not be
// decoded.
type problem struct {
	Event string `json:"event"`
	Error string `json:"error"`
	Raw   string `json:"raw"`
}

func eventKey(e events.Event) any {
	if token, ok := e.(events.AIToken); ok {
		return tokenKey(token)
	}
	return [2]any{e.Key(), e.Envelope().RequestID}
}

func rawKey(e conn.Event) any {
	if len(e.Args) == 0 {
		return e.Name
	}
	return &e.Args[0] // all subscriptions share the array
}

func stateKey(s conn.State) any { return [2]any{s.Phase, s.Attempt} }

// sse writes server-sent events. After its first error it writes nothing.
type sse struct {
	w       http.ResponseWriter
	control *http.ResponseController
	last    []byte // of update
	at      time.Time
	err     error
}

// send sends an event.
func (o *sse) send(kind string, data any) {
	encoded, err := json.Marshal(data)
	if err != nil {
		// encoding/json may reject JSON that the client accepted.
		encoded = []byte("null")
	}
	o.write("event: %s\ndata: %s\n\n", kind, encoded)
}

// update sends an event if it differs from the last one. On an idle stream it
// sends a comment every 15 seconds.
func (o *sse) update(kind string, data any) {
	encoded, err := json.Marshal(data)
	switch {
	case err != nil:
	case !bytes.Equal(encoded, o.last):
		o.last = encoded
		o.write("event: %s\ndata: %s\n\n", kind, encoded)
	case time.Since(o.at) > quietEvery:
		o.write(": all is quiet\n\n")
	}
}

func (o *sse) write(format string, args ...any) {
	if o.err != nil {
		return
	}
	o.at = time.Now()
	_ = o.control.SetWriteDeadline(o.at.Add(writeTimeout))
	if _, o.err = fmt.Fprintf(o.w, format, args...); o.err == nil {
		o.err = o.control.Flush()
	}
}
