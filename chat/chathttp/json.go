package chathttp

import (
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"
)

// object is a JSON object that an encoder sends.
type object map[string]any

// marshal encodes a value on one line. A nil json.RawMessage is null.
func marshal(v any) ([]byte, error) { return json.Marshal(v) }

// appendString appends a text as a JSON string.
func appendString(to []byte, text string) []byte {
	to, _ = jsontext.AppendQuote(to, text) // the error is about invalid UTF-8, which becomes U+FFFD
	return to
}
