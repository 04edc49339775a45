package events

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// ID identifies a chat or a user. It is a JSON string or a JSON integer, and
// keeps that type: IntID(5) and StringID("5") differ. An integer keeps all its
// digits, however many.
//
// IDs compare with == and can be keys of a map. The zero ID means no ID, and is
// null in JSON. An empty string is an ID, not the zero ID.
type ID struct {
	kind idKind
	text string // the string, or the integer's digits
}

type idKind uint8

const (
	noID idKind = iota
	stringID
	integerID
)

var errNotIntegerID = errors.New("want an integer ID, got a number with a fraction or an exponent")

// StringID returns the ID for the JSON string s. It is not the zero ID, even if
// s is empty.
func StringID(s string) ID { return ID{stringID, s} }

// IntID returns the ID for the JSON integer n.
func IntID(n int64) ID { return ID{integerID, strconv.FormatInt(n, 10)} }

// String returns the string or the integer's digits, and "" for the zero ID.
func (id ID) String() string { return id.text }

// Same reports whether both IDs have the same text. Backends send one ID as a
// string and as an integer, so IntID(5) is the same as StringID("5"). The zero
// ID is the same as itself only.
func (id ID) Same(other ID) bool {
	return id.text == other.text && id.IsZero() == other.IsZero()
}

// IsZero reports whether id is the zero ID.
func (id ID) IsZero() bool { return id.kind == noID }

// MarshalJSONTo writes a string, an integer, or null for the zero ID.
func (id ID) MarshalJSONTo(e *jsontext.Encoder) error {
	return e.WriteValue(id.append(e.AvailableBuffer()))
}

// UnmarshalJSONFrom reads a string, an integer, or null as the zero ID. Any
// other JSON is a *[FieldError].
func (id *ID) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	if raw.Kind() == jsontext.KindNull {
		*id = ID{}
		return nil
	}
	if err := id.read(value{raw: raw}); err != nil {
		return &FieldError{Type: "ID", Err: err}
	}
	return nil
}

// MarshalJSON is MarshalJSONTo for encoding/json.
func (id ID) MarshalJSON() ([]byte, error) { return marshal(id) }

// UnmarshalJSON is UnmarshalJSONFrom for encoding/json.
func (id *ID) UnmarshalJSON(b []byte) error { return unmarshal(b, id) }

func (id *ID) read(v value) error {
	switch v.kind() {
	case jsontext.KindString:
		*id = ID{stringID, v.text()}
	case jsontext.KindNumber:
		if bytes.ContainsAny(v.raw, ".eE") {
			return errNotIntegerID
		}
		digits := string(v.raw)
		if digits == "-0" { // equal to 0, and the only integer with two forms in JSON
			digits = "0"
		}
		*id = ID{integerID, digits}
	default:
		return mismatch("a string or an integer", v)
	}
	return nil
}
