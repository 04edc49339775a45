package chattest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/zishang520/socket.io/v3/pkg/types"
)

// ErrClosed is what Next returns when the Server has been closed.
var ErrClosed = errors.New("chattest: the server is closed")

// maxRecorded is how many events a Server remembers.
const maxRecorded = 10_000

// Received is an event that a client has sent.
type Received struct {
	Socket   *Socket           // who has
	Name     string            // on the wire
	Args     []json.RawMessage // as they came; a binary one as its bytes in base64
	WantsAck bool              // an acknowledgement was asked for

	args []any // as the library has them
}

// Decode decodes the first argument, null if there is none.
func (r Received) Decode(into any) error { return json.Unmarshal(r.payload(), into) }

// String is the event as it stands in a packet: chat:join [{"chatId":"room-1"}].
func (r Received) String() string { return fmt.Sprintf("%s %s", r.Name, r.Args) }

func (r Received) payload() json.RawMessage {
	if len(r.Args) > 0 {
		return r.Args[0]
	}
	return json.RawMessage("null")
}

// jsonOf is what an event's arguments are as JSON. They are that already, unless
// the event came with binary attachments.
func jsonOf(args []any) []json.RawMessage {
	out := make([]json.RawMessage, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case json.RawMessage:
			out[i] = arg
		case types.BufferInterface:
			out[i], _ = json.Marshal(arg.Bytes()) // bytes: it cannot fail
		default:
			out[i] = json.RawMessage("null")
			if encoded, err := json.Marshal(arg); err == nil {
				out[i] = encoded
			}
		}
	}
	return out
}

// record is what a Server has received, the oldest first; it is under Server.mu.
type record struct {
	entries []*entry
	more    chan struct{} // closed with the next one; nil if nobody waits
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

// take is the first event of a name that has not been taken yet or, if there is
// none, what tells of the next event.
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

// Received returns the events of the given names that clients have sent, all
// events if there are no names, in the order in which the backend has dealt with them. An
// event is among them once it has been: its room is joined by then, its
// acknowledgement on its way. The last 10,000 are kept.
//
// What a client has sent a moment ago may not have come yet. [Server.Next] waits.
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

// Next returns the next event of a name: the first that no call of Next has
// returned before, whether it has come already or is still to come. It waits for that until ctx ends or the Server is closed.
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
