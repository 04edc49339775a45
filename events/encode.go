package events

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// AppendJSON appends the JSON of a payload to b, without the cost of a JSON
// module. ok is false if payload is of no type of this package, or is a
// pointer; then nothing is appended. The result is the same as that of
// MarshalJSONTo, except that a json.RawMessage is appended unchanged.
func AppendJSON(b []byte, payload any) (out []byte, ok bool, err error) {
	o := objects[reflect.TypeOf(payload)]
	if o == nil {
		return b, false, nil
	}
	out, err = o.append(b, reflect.ValueOf(payload))
	return out, true, err
}

// append appends the struct from: its fields in their order, except optional
// fields that are zero, then Extra in alphabetical order.
func (o *object) append(b []byte, from reflect.Value) (_ []byte, err error) {
	b = append(b, '{')
	start := len(b)
	for i := range o.fields {
		f := &o.fields[i]
		member := from.Field(f.index)
		if !f.required && member.IsZero() {
			continue
		}
		b = append(b, f.quoted...)
		if b, err = f.form.append(b, member); err != nil {
			return b, err
		}
		b = append(b, ',')
	}
	if o.extra >= 0 && from.Field(o.extra).Len() > 0 {
		extra, _ := reflect.TypeAssert[map[string]json.RawMessage](from.Field(o.extra))
		for _, name := range slices.Sorted(maps.Keys(extra)) {
			if o.field([]byte(name)) >= 0 {
				continue // the field takes precedence, even if it is left out
			}
			b = append(appendString(b, name), ':')
			if b, err = appendRaw(b, extra[name]); err != nil {
				return b, err
			}
			b = append(b, ',')
		}
	}
	if len(b) > start {
		b = b[:len(b)-1] // the last comma
	}
	return append(b, '}'), nil
}

func (f *form) append(b []byte, from reflect.Value) ([]byte, error) {
	switch f.shape {
	case aString, aText:
		return appendString(b, from.String()), nil
	case anID:
		id, _ := reflect.TypeAssert[ID](from)
		return id.append(b), nil
	case anInteger, aCount:
		return strconv.AppendInt(b, from.Int(), 10), nil
	case aBoolean:
		return strconv.AppendBool(b, from.Bool()), nil
	case aTime:
		t, _ := reflect.TypeAssert[time.Time](from)
		b, err := t.AppendText(append(b, '"'))
		return append(b, '"'), err
	case anyRaw:
		return appendRaw(b, from.Bytes())
	case anyValue:
		// The value may depend on encoding/json, for example on json.Number.
		encoded, err := json.Marshal(from.Interface())
		if err != nil {
			return b, err
		}
		return jsontext.AppendFormat(b, encoded, lenient) // without HTML's escapes
	case aList:
		b = append(b, '[')
		for i := range from.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = f.elem.append(b, from.Index(i)); err != nil {
				return b, err
			}
		}
		return append(b, ']'), nil
	case aRecord:
		return f.object.append(b, from)
	case aRecordAt:
		return f.object.append(b, from.Elem())
	default:
		encoded, err := jsonv2.Marshal(from.Interface())
		return append(b, encoded...), err
	}
}

func (id ID) append(b []byte) []byte {
	switch id.kind {
	case stringID:
		return appendString(b, id.text)
	case integerID:
		return append(b, id.text...)
	default:
		return append(b, "null"...)
	}
}

// appendString appends a JSON string. Invalid UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			b, _ = jsontext.AppendQuote(b, s) // the error only reports invalid UTF-8
			return b
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// appendRaw appends a JSON value: unchanged, if its Unicode is valid.
func appendRaw(b, raw []byte) ([]byte, error) {
	if len(raw) == 0 {
		return append(b, "null"...), nil
	}
	if utf8.Valid(raw) && jsontext.Value(raw).IsValid(lenient) {
		return append(b, raw...), nil
	}
	return jsontext.AppendFormat(b, raw, lenient)
}
