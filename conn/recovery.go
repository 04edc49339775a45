package conn

import (
	"bytes"
	"errors"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/seed67206a74/parley/internal/socketio"
)

// Connection state recovery: a server that has it enabled gives each session a
// private id. To each event that asks for no acknowledgement it adds an offset,
// as the last argument. A client that connects with both gets back its id, its
// rooms and the events that it missed.

// A resumption identifies the session that the next CONNECT asks the server to
// resume. The zero resumption asks for a new session.
type resumption struct {
	pid    string
	offset string
}

// after returns the resumption of s, which has ended with err.
func after(s *Session, err error) resumption {
	var refused *RefusedError
	if s.reply.PID == "" || len(s.offset) == 0 || errors.Is(err, ErrDisconnected) || errors.As(err, &refused) {
		return resumption{}
	}
	return resumption{s.reply.PID, string(s.offset)}
}

// addTo adds the resumption to the payload of a CONNECT packet, an object or
// nil. It comes first, so a member of Config.Auth with the same name overrides
// it.
func (r resumption) addTo(auth []byte) ([]byte, error) {
	if r.pid == "" {
		return auth, nil
	}
	own, err := jsonv2.Marshal(map[string]string{"pid": r.pid, "offset": r.offset}, decoderOptions...)
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
	return lastString(p.Data)
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
