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
	base := members{}
	if !chatID.IsZero() {
		id, err := jsonv2.Marshal(chatID)
		if err != nil {
			return nil, fmt.Errorf("chat: Config.ChatID: %w", err)
		}
		base["chatId"] = id
	}
	for name, value := range meta {
		encoded, err := jsonv2.Marshal(value, jsontext.AllowInvalidUTF8(true))
		if err != nil {
			return nil, fmt.Errorf("chat: Config.Meta[%q]: %w", name, err)
		}
		base[name] = encoded
	}
	return base, nil
}

// with returns the object that goes to the server: the base, and the fields of
// own over it. An own that is nil has no fields; one that encodes as anything
// but an object cannot be merged, and goes out as it is.
func (base members) with(own any) (json.RawMessage, error) {
	merged := maps.Clone(base)
	if own != nil {
		encoded, err := jsonv2.Marshal(own, jsontext.AllowInvalidUTF8(true))
		if err != nil {
			return nil, err
		}
		if jsontext.Value(encoded).Kind() != '{' {
			return encoded, nil
		}
		// Not straight into merged: that would decode over the bytes of base.
		var fields members
		if err := jsonv2.Unmarshal(encoded, &fields, jsontext.AllowInvalidUTF8(true)); err != nil {
			return nil, err
		}
		maps.Copy(merged, fields)
	}
	return jsonv2.Marshal(merged, jsonv2.Deterministic(true), jsontext.AllowInvalidUTF8(true))
}
