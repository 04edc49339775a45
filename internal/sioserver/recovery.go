package sioserver

import (
	"bytes"
	"context"
	"slices"
	"strconv"

	"github.com/seed67206a74/parley/internal/socketio"
)

// maxLogged is how many events are kept for a session that may be resumed.
const maxLogged = 4096

// An eventLog holds the events sent to a socket, each with its offset as its
// last argument.
type eventLog struct {
	events []loggedEvent // the oldest first
	count  int           // of all events
}

type loggedEvent struct {
	offset string
	event  encodedEvent
}

// add appends an event, and returns it with its offset.
func (l *eventLog) add(event encodedEvent) encodedEvent {
	offset := strconv.Itoa(l.count)
	l.count++
	data := bytes.TrimSuffix(event.data, []byte("]"))
	event.data = slices.Concat(data, []byte(`,"`), []byte(offset), []byte(`"]`))
	if len(l.events) == maxLogged {
		l.events[0] = loggedEvent{}
		l.events = l.events[1:]
	}
	l.events = append(l.events, loggedEvent{offset, event})
	return event
}

// after returns the events after the event with the given offset. It returns
// false if that event is not in the log.
func (l *eventLog) after(offset string) ([]loggedEvent, bool) {
	i := slices.IndexFunc(l.events, func(e loggedEvent) bool { return e.offset == offset })
	if i < 0 {
		return nil, false
	}
	return l.events[i+1:], true
}

// resume gives the session to a client that was disconnected from it: the
// CONNECT packet and the missed events are queued in one step. It returns false
// if the session is over or still connected, or if the offset is not known.
func (s *Socket) resume(c *client, offset string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	missed, known := s.log.after(offset)
	if s.ended || s.client != nil || !known || !c.add(s.namespace.Name, s) {
		return false
	}
	s.expiry.Stop()
	s.client, s.recovered = c, true
	s.link, s.unlink = context.WithCancel(s.ctx)
	c.connected()
	s.sendConnect(c)
	for _, e := range missed {
		s.write(e.event, socketio.NoID)
	}
	s.inbox.put(func() {
		if s.handlers.Connect != nil {
			s.handlers.Connect(s)
		}
	})
	return true
}
