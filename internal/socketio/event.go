package socketio

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// reserved has the event names that Socket.IO itself uses. They are never sent
// as events ("Event" in the protocol).
var reserved = []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}

// Reserved reports whether Socket.IO forbids name as the name of an event.
func Reserved(name string) bool { return slices.Contains(reserved, name) }

// EventName returns the name of an event, which is the first element of data, a
// JSON array. The name aliases data unless it contains an escape. The rest of
// data is not checked.
func EventName(data []byte) ([]byte, error) {
	if len(data) == 0 || data[0] != '[' {
		return nil, fmt.Errorf("%w: event is not an array", ErrMalformed)
	}
	rest := bytes.TrimLeft(data[1:], " \t\r\n")
	if len(rest) > 0 && (isDigit(rest[0]) || rest[0] == '-') {
		// A number is a valid event name; its digits are the name.
		end := bytes.IndexAny(rest, ",] \t\r\n")
		if end < 0 {
			return nil, fmt.Errorf("%w: event name", ErrMalformed)
		}
		return rest[:end], nil
	}
	if len(rest) == 0 || rest[0] != '"' {
		return nil, fmt.Errorf("%w: event name is not a string", ErrMalformed)
	}
	end := bytes.IndexByte(rest[1:], '"')
	if end < 0 {
		return nil, fmt.Errorf("%w: event name", ErrMalformed)
	}
	name := rest[1 : end+1]
	if bytes.IndexByte(name, '\\') < 0 {
		return checkName(name)
	}
	// With an escape the next quote may not be the closing one. The decoder
	// finds that.
	dec := jsontext.NewDecoder(bytes.NewReader(rest), jsontext.AllowInvalidUTF8(true))
	quoted, err := dec.ReadValue()
	if err != nil {
		return nil, fmt.Errorf("%w: event name: %w", ErrMalformed, err)
	}
	name, err = jsontext.AppendUnquote(nil, quoted)
	if err != nil && len(name) == 0 {
		return nil, fmt.Errorf("%w: event name: %w", ErrMalformed, err)
	}
	return checkName(name)
}

func checkName(name []byte) ([]byte, error) {
	for _, r := range reserved {
		if string(name) == r {
			return nil, fmt.Errorf("%w: reserved event name %q", ErrMalformed, r)
		}
	}
	return name, nil
}
