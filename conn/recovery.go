package conn

import (
	"bytes"
	"errors"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/internal/engineio"
	"github.com/seed67206a74/parley/internal/socketio"
)

// Connection state recovery: a server that has it enabled gives each session a
// private id. To each event that asks for no acknowledgement it adds an offset,
// as the last argument. A client that connects with both gets back its id, its
// rooms and the events that it missed. A volatile event has no offset, and its
// last argument may be any string.

// A resumption identifies the session that the next CONNECT asks the server to
// resume. The zero resumption asks for a new session.
type resumption struct {
	pid    string
	offset string
	from   time.Time // before this time the server may still have the old socket
}

// resumption returns the resumption of s, which has ended with err. From now on
// s publishes no event that the next session asks for.
//
// A session is not resumed after a protocol error, because the server would
// send the same data again.
//
// A session that was itself resumed is resumed again only when the server has
// noticed its end. Otherwise the server would later close the old socket, and
// with it remove the rooms of the new socket, which has the same id.
func (s *Session) resumption(err error) resumption {
	s.mu.Lock()
	s.over = true
	r := resumption{pid: s.reply.PID, offset: string(s.offset)}
	s.mu.Unlock()
	var refused *RefusedError
	var protocol *ProtocolError
	var panicked *bus.PanicError
	switch {
	case r.pid == "", r.offset == "", s.left, errors.Is(err, ErrDisconnected),
		errors.As(err, &refused), errors.As(err, &protocol), errors.As(err, &panicked):
		return resumption{}
	case s.recovered && !errors.Is(err, engineio.ErrClosed):
		engine, ok := s.engine.(interface{ Heartbeat() time.Duration })
		if !ok {
			return resumption{}
		}
		r.from = time.Now().Add(engine.Heartbeat())
	}
	return r
}

// at returns r if the server can be asked to resume at that time.
func (r resumption) at(t time.Time) resumption {
	if t.Before(r.from) {
		return resumption{}
	}
	return r
}

// addTo adds the resumption to the payload of a CONNECT packet, an object or
// nil. It comes first, so a member of Config.Auth with the same name overrides
// it.
func (r resumption) addTo(auth []byte) ([]byte, error) {
	if r.pid == "" {
		return auth, nil
	}
	own, err := jsonv2.Marshal(struct {
		PID    string `json:"pid"`
		Offset string `json:"offset"`
	}{r.pid, r.offset}, decoderOptions...)
	if err != nil {
		return nil, err
	}
	object := bytes.TrimSuffix(own, []byte{'}'})
	rest := bytes.TrimLeft(bytes.TrimPrefix(auth, []byte{'{'}), " \t\r\n")
	if len(rest) == 0 || rest[0] == '}' {
		return append(object, '}'), nil
	}
	return append(append(object, ','), rest...), nil
}

// offsetOf returns the offset of an event; nil if it has none.
func (s *Session) offsetOf(p socketio.Packet) []byte {
	if s.reply.PID == "" || p.ID != socketio.NoID {
		return nil
	}
	if offset := lastString(p.Data); plausible(offset, s.offset) {
		return offset
	}
	return nil
}

// advance sets the offset to that of an event that is about to be published. It
// returns false if s is over: then the next session asks for the event.
func (s *Session) advance(offset []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	s.offset = append(s.offset[:0], offset...)
	return true
}

// maxOffset is the length limit of an offset, in bytes. The offsets of known
// servers have at most 40.
const maxOffset = 128

// plausible reports whether a string may be an offset. An offset is short, and
// of printable ASCII without spaces. If the last offset has a known form, an
// offset has the same form.
func plausible(offset, last []byte) bool {
	if len(offset) == 0 || len(offset) > maxOffset {
		return false
	}
	for _, b := range offset {
		if b <= ' ' || b > '~' {
			return false
		}
	}
	for _, has := range offsetForms {
		if has(last) {
			return has(offset)
		}
	}
	return true
}

// offsetForms are the forms of the offsets of known servers.
var offsetForms = []func(offset []byte) bool{
	func(o []byte) bool { // the Redis streams adapter
		time, sequence, found := bytes.Cut(o, []byte("-"))
		return found && consistsOf(time, digits) && consistsOf(sequence, digits)
	},
	func(o []byte) bool { // the MongoDB adapter
		return len(o) == 24 && consistsOf(o, digits+"abcdef")
	},
	func(o []byte) bool { // the adapter in memory
		time, seed, found := bytes.Cut(o, []byte("."))
		return len(time) == 7 && consistsOf(time, base64) && (!found || consistsOf(seed, base64))
	},
}

const (
	digits = "0123456789"
	base64 = digits + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
)

// consistsOf reports whether s is not empty and has only bytes of set.
func consistsOf(s []byte, set string) bool {
	return len(s) > 0 && len(bytes.Trim(s, set)) == 0
}

// lastString returns the last argument of an event's payload, a JSON array, if
// it is a string without escapes, as offsets are.
func lastString(data []byte) []byte {
	rest, ok := bytes.CutSuffix(data, []byte(`"]`))
	if !ok {
		return nil
	}
	i := bytes.LastIndexByte(rest, '"')
	if i < 1 || rest[i-1] != ',' || bytes.IndexByte(rest[i:], '\\') >= 0 {
		return nil
	}
	return rest[i+1:]
}
