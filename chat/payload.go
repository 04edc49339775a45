package chat

import (
	"encoding/json"
	"fmt"
	"maps"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/seed67206a74/parley/events"
)

// members are the members of a JSON object, each still encoded.
type members map[string]json.RawMessage

// newBase encodes what every payload starts with: chatId, then meta.
func newBase(chatID events.ID, meta map[string]any) (members, error) {
	base := members{}.inRoom(chatID)
	for name, value := range meta {
		encoded, err := jsonv2.Marshal(value, jsontext.AllowInvalidUTF8(true))
		if err != nil {
			return nil, fmt.Errorf("chat: Config.Meta[%q]: %w", name, err)
		}
		base[name] = encoded
	}
	return base, nil
}

// inRoom returns the base with another chatId, unless that is zero.
func (base members) inRoom(chatID events.ID) members {
	if chatID.IsZero() {
		return base
	}
	other := maps.Clone(base)
	other["chatId"], _ = json.Marshal(chatID) // a string or a number: it cannot fail
	return other
}

// with returns what goes to the server: the base, and the fields of own over
// it. An own that is nil has no fields; one that encodes as anything but an
// object cannot be merged, and goes out as it is.
func (base members) with(own any) merged { return merged{base, own} }

// merged is a payload that is put together when it is encoded, with the
// options of whoever encodes it: what they make of a []byte holds in own, too.
type merged struct {
	base members
	own  any
}

// MarshalJSONTo writes the members in the order of their names.
func (m merged) MarshalJSONTo(enc *jsontext.Encoder) error {
	all := m.base
	if m.own != nil {
		encoded, err := jsonv2.Marshal(m.own, enc.Options())
		if err != nil {
			return err
		}
		if jsontext.Value(encoded).Kind() != '{' {
			return enc.WriteValue(encoded)
		}
		// Not straight into the clone: that would decode over the bytes of base.
		var fields members
		if err := jsonv2.Unmarshal(encoded, &fields, jsontext.AllowInvalidUTF8(true)); err != nil {
			return err
		}
		all = maps.Clone(m.base)
		maps.Copy(all, fields)
	}
	return jsonv2.MarshalEncode(enc, all, jsonv2.Deterministic(true))
}
