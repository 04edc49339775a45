package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/seed67206a74/parley/events"
)

// base holds the first members of every payload: chatId, then the members of
// Config.Meta in the order of their names.
type base []member

// A member is a member of a JSON object with an encoded value.
type member struct {
	name  string
	value jsontext.Value
}

// encoderOptions are the options of conn's encoder, except for binary data.
var encoderOptions = jsonv2.JoinOptions(
	jsontext.AllowInvalidUTF8(true),
	jsontext.AllowDuplicateNames(true), // in a json.RawMessage
	jsontext.PreserveRawStrings(true),
)

func newBase(chatID events.ID, meta map[string]any) (base, error) {
	b := base{}.inRoom(chatID)
	for _, name := range slices.Sorted(maps.Keys(meta)) {
		value, err := jsonv2.Marshal(meta[name], encoderOptions)
		if err != nil {
			return nil, fmt.Errorf("chat: Config.Meta[%q]: %w", name, err)
		}
		b = b.set(name, value)
	}
	return b, nil
}

// inRoom returns the base with another chatId, unless chatID is zero.
func (b base) inRoom(chatID events.ID) base {
	if chatID.IsZero() {
		return b
	}
	value, _ := json.Marshal(chatID) // a string or a number: it cannot fail
	return b.set("chatId", value)
}

// set returns the base with a member set.
func (b base) set(name string, value jsontext.Value) base {
	b = slices.Clone(b)
	if i := b.index(name); i >= 0 {
		b[i].value = value
		return b
	}
	return append(b, member{name, value})
}

func (b base) index(name string) int {
	return slices.IndexFunc(b, func(m member) bool { return m.name == name })
}

// with returns a payload with the members of the base, then the members of own.
// A member of own replaces a member of the base with the same name. A nil own
// has no members. An own that does not encode as an object is sent without the
// base.
func (b base) with(own any) merged { return merged{b, own} }

// merged is a payload that is merged while it is encoded, because the options
// of the encoder decide how a []byte in own is encoded.
type merged struct {
	base base
	own  any
}

// MarshalJSONTo implements jsonv2.MarshalerTo.
func (m merged) MarshalJSONTo(enc *jsontext.Encoder) error {
	own := jsontext.Value("{}")
	if m.own != nil {
		encoded, err := jsonv2.Marshal(m.own, enc.Options(), jsonv2.Deterministic(true))
		if err != nil {
			return err
		}
		own = encoded
	}
	if own.Kind() != '{' {
		return enc.WriteValue(own)
	}
	object := []byte{'{'}
	left, err := m.base.without(own)
	if err != nil {
		return err
	}
	for _, member := range left {
		if object, err = jsontext.AppendQuote(object, member.name); err != nil {
			return err
		}
		object = append(append(append(object, ':'), member.value...), ',')
	}
	rest := bytes.TrimLeft(own[1:], " \t\r\n")
	if rest[0] == '}' {
		object = bytes.TrimSuffix(object, []byte{','})
	}
	return enc.WriteValue(append(object, rest...))
}

// without returns the members of b that the object does not have.
func (b base) without(object jsontext.Value) (base, error) {
	left := slices.Clone(b)
	dec := jsontext.NewDecoder(bytes.NewBuffer(object), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	for len(left) > 0 && dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		if i := left.index(name.String()); i >= 0 {
			left = slices.Delete(left, i, i+1)
		}
		if err := dec.SkipValue(); err != nil {
			return nil, err
		}
	}
	return left, nil
}
