package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/socketio"
)

// base holds the first members of every payload: chatId, then the members of
// Config.Meta in the order of their names.
type base []member

// A member is a member of a JSON object.
type member struct {
	name    string
	quoted  []byte // "name"
	encoded []byte // "name":value and a comma
	binary  any    // the value, if it has a []byte, which each event attaches
}

func newBase(chatID events.ID, meta map[string]any) (base, error) {
	return base{}.inRoom(chatID).merge(meta)
}

// merge returns the base with the members of meta, in the order of their names.
func (b base) merge(meta map[string]any) (base, error) {
	for _, name := range slices.Sorted(maps.Keys(meta)) {
		value := meta[name]
		if data, ok := value.([]byte); ok {
			value = bytes.Clone(data)
		}
		var e socketio.Encoder
		encoded, err := e.Append(nil, value)
		if err != nil {
			return nil, fmt.Errorf("chat: Meta[%q]: %w", name, err)
		}
		b = b.set(name, encoded)
		if len(e.Attachments) > 0 {
			b[b.index(name)].binary = value
		}
	}
	return b, nil
}

// inRoom returns the base with the chatId of a room, unless chatID is zero.
func (b base) inRoom(chatID events.ID) base {
	if chatID.IsZero() {
		return b
	}
	value, _ := json.Marshal(chatID) // a string or a number: it cannot fail
	return b.set("chatId", value)
}

// set returns the base with a member set.
func (b base) set(name string, value []byte) base {
	quoted, _ := jsontext.AppendQuote(nil, name) // the error only reports invalid UTF-8
	m := member{name: name, quoted: quoted, encoded: slices.Concat(quoted, []byte{':'}, value, []byte{','})}
	b = slices.Clone(b)
	if i := b.index(name); i >= 0 {
		b[i] = m
		return b
	}
	return append(b, m)
}

func (b base) index(name string) int {
	return slices.IndexFunc(b, func(m member) bool { return m.name == name })
}

// with returns a payload with the members of the base, then the members of own.
// A member of own replaces a member of the base with the same name. A nil own
// has no members. An own that does not encode as an object is sent without the
// base. An own that already has a base is returned as it is.
func (b base) with(own any) merged {
	if m, ok := own.(merged); ok {
		return m
	}
	return merged{b, own}
}

// merged is a payload that is merged while it is encoded, because the encoder
// takes the []byte out of own.
type merged struct {
	base base
	own  any
}

// AppendArg implements [socketio.Appender].
func (m merged) AppendArg(b []byte, e *socketio.Encoder) ([]byte, error) {
	start := len(b)
	b, err := m.appendOwn(b, e)
	if err != nil {
		return b, err
	}
	start = skip(b, start)
	if len(m.base) == 0 || b[start] != '{' {
		return b, nil
	}
	return m.base.insert(b, start+1, e)
}

func (m merged) appendOwn(b []byte, e *socketio.Encoder) ([]byte, error) {
	if m.own == nil {
		return append(b, "{}"...), nil
	}
	if b, ok, err := events.AppendJSON(b, m.own); ok {
		return b, err
	}
	return e.Append(b, m.own)
}

// insert inserts the members that the object does not have. The members of the
// object are the rest of b, from index at.
func (b base) insert(object []byte, at int, e *socketio.Encoder) ([]byte, error) {
	var few [16]bool
	replaced := append(few[:0], make([]bool, len(b))...)
	empty := object[skip(object, at)] == '}'
	if b.mayBeIn(object[at:]) {
		for name := range memberNames(object[at:]) {
			if i := b.index(string(name)); i >= 0 {
				replaced[i] = true
			}
		}
	}
	b, err := b.attach(replaced, e)
	if err != nil {
		return object, err
	}
	size := 0
	for i, m := range b {
		if !replaced[i] {
			size += len(m.encoded)
		}
	}
	if empty && size > 0 {
		size-- // the last comma
	}
	end := len(object)
	object = slices.Grow(object, size)[:end+size]
	copy(object[at+size:], object[at:end])
	gap := object[at : at : at+size]
	for i, m := range b {
		if !replaced[i] {
			gap = append(gap, m.encoded[:min(len(m.encoded), cap(gap)-len(gap))]...)
		}
	}
	return object, nil
}

// mayBeIn reports whether the object may have a member with a name of the base.
// If it returns false, as for most messages, its names need not be decoded.
func (b base) mayBeIn(object []byte) bool {
	if bytes.IndexByte(object, '\\') >= 0 {
		return true // a name may have escapes
	}
	return slices.ContainsFunc(b, func(m member) bool { return bytes.Contains(object, m.quoted[1:]) })
}

// attach returns the base with new encodings of the members that have binary
// data, unless they are replaced. The data becomes attachments of e.
func (b base) attach(replaced []bool, e *socketio.Encoder) (base, error) {
	with := b
	for i, m := range b {
		if m.binary == nil || replaced[i] {
			continue
		}
		value, err := e.Append(nil, m.binary)
		if err != nil {
			return nil, err
		}
		with = with.set(m.name, value)
	}
	return with, nil
}

// memberNames returns the names of the members in b, which is a valid JSON
// object after its opening brace.
func memberNames(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := skip(b, 0); b[i] != '}'; i = skip(b, i) {
			end := stringEnd(b, i)
			name := b[i+1 : end-1]
			if bytes.IndexByte(name, '\\') >= 0 {
				// The error only reports invalid Unicode.
				name, _ = jsontext.AppendUnquote(nil, b[i:end])
			}
			if !yield(name) {
				return
			}
			i = valueEnd(b, skip(b, end))
		}
	}
}

// skip returns the index of the next byte that is not white space or a
// delimiter between values.
func skip(b []byte, i int) int {
	for b[i] <= ' ' || b[i] == ',' || b[i] == ':' {
		i++
	}
	return i
}

// valueEnd returns the index after the value that begins at b[i].
func valueEnd(b []byte, i int) int {
	for depth := 0; ; {
		switch b[i] {
		case '"':
			i = stringEnd(b, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		default:
			i++
		}
		if depth == 0 && (b[i] == ',' || b[i] == '}' || b[i] <= ' ') {
			return i
		}
	}
}

// stringEnd returns the index after the string that begins at b[i].
func stringEnd(b []byte, i int) int {
	for i++; ; i++ {
		i += bytes.IndexByte(b[i:], '"')
		escapes := 0
		for b[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
}
