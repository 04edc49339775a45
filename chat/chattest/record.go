package chattest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/seed67206a74/parley/internal/sioserver"
	"github.com/seed67206a74/parley/internal/socketio"
)

// ErrClosed is returned by Next after Close.
var ErrClosed = errors.New("chattest: the server is closed")

// maxRecorded is how many events a Server remembers.
const maxRecorded = 10_000

// Received is an event that a client has sent.
type Received struct {
	Socket   *Socket           // its sender
	Name     string            // on the wire
	Args     []json.RawMessage // bytes as a string of base64
	WantsAck bool              // the client asks for an acknowledgement

	event *sioserver.Event
}

// Decode decodes the first argument, or null without one.
func (r Received) Decode(into any) error { return r.DecodeArg(0, into) }

// DecodeArg decodes an argument, or null if there are fewer.
func (r Received) DecodeArg(arg int, into any) error {
	if arg >= len(r.Args) {
		return json.Unmarshal([]byte("null"), into)
	}
	return json.Unmarshal(r.Args[arg], into)
}

// Bytes returns an argument that was sent as bytes. It returns false for any
// other argument, including a string of base64.
func (r Received) Bytes(arg int) ([]byte, bool) { return r.event.Bytes(arg) }

// String returns the event in the form of its packet:
// chat:join [{"chatId":"room-1"}].
func (r Received) String() string { return fmt.Sprintf("%s %s", r.Name, r.Args) }

func (r Received) payload() json.RawMessage {
	if len(r.Args) > 0 {
		return r.Args[0]
	}
	return json.RawMessage("null")
}

// inlined returns arguments with their attachments as base64.
func inlined(args []json.RawMessage, attachments [][]byte) []json.RawMessage {
	out := make([]json.RawMessage, len(args))
	for i, arg := range args {
		out[i], _ = socketio.InlineBase64(arg, attachments) // sioserver has checked it
	}
	return out
}

// record holds the events that a Server has received, the oldest first. It is
// under Server.mu.
type record struct {
	entries []*entry
	more    chan struct{} // closed with the next event; nil if nothing waits
}

type entry struct {
	Received
	taken bool // by Next
}

func (r *record) add(event Received) {
	if len(r.entries) == maxRecorded {
		r.entries[0] = nil
		r.entries = r.entries[1:]
	}
	r.entries = append(r.entries, &entry{Received: event})
	if r.more != nil {
		close(r.more)
		r.more = nil
	}
}

// take returns the first event of a name that has not been taken yet or, if
// there is none, a channel that is closed with the next event.
func (r *record) take(name string) (event Received, ok bool, more <-chan struct{}) {
	for _, e := range r.entries {
		if e.Name == name && !e.taken {
			e.taken = true
			return e.Received, true, nil
		}
	}
	if r.more == nil {
		r.more = make(chan struct{})
	}
	return Received{}, false, r.more
}

// Received returns the events of the given names that clients have sent, or all
// events if there are no names, in the order in which they were handled. An
// event is included after it has been handled: its room is joined by then, and
// its acknowledgement is sent. The last 10,000 events are kept.
//
// An event that a client has just sent may not have arrived. [Server.Next]
// waits.
func (s *Server) Received(names ...string) []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Received
	for _, e := range s.record.entries {
		if len(names) == 0 || slices.Contains(names, e.Name) {
			out = append(out, e.Received)
		}
	}
	return out
}

// Next returns the first event of a name that no call of Next has returned
// before. It waits for such an event until ctx ends or the Server is closed.
func (s *Server) Next(ctx context.Context, name string) (Received, error) {
	for {
		s.mu.Lock()
		event, ok, more := s.record.take(name)
		s.mu.Unlock()
		if ok {
			return event, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return Received{}, ctx.Err()
		case <-s.ctx.Done():
			return Received{}, ErrClosed
		}
	}
}
