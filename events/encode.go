package events

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// write writes the struct from: its fields in their order, except optional
// fields that are zero, then Extra in alphabetical order.
func (o *object) write(e *jsontext.Encoder, from reflect.Value) error {
	if err := e.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for i := range o.fields {
		f := &o.fields[i]
		member := from.Field(f.index)
		if !f.required && member.IsZero() {
			continue
		}
		if err := e.WriteToken(jsontext.String(f.name)); err != nil {
			return err
		}
		if err := f.form.write(e, member); err != nil {
			return err
		}
	}
	if o.extra >= 0 {
		extra := from.Field(o.extra).Interface().(map[string]json.RawMessage)
		for _, name := range slices.Sorted(maps.Keys(extra)) {
			if o.field([]byte(name)) >= 0 {
				continue // the field takes precedence, even if it is left out
			}
			if err := e.WriteToken(jsontext.String(name)); err != nil {
				return err
			}
			if err := writeRaw(e, extra[name]); err != nil {
				return err
			}
		}
	}
	return e.WriteToken(jsontext.EndObject)
}

func (f *form) write(e *jsontext.Encoder, from reflect.Value) error {
	switch f.shape {
	case aString:
		return e.WriteToken(jsontext.String(from.String()))
	case anyRaw:
		return writeRaw(e, from.Bytes())
	case anyValue:
		// The value may depend on encoding/json, for example on json.Number.
		b, err := json.Marshal(from.Interface())
		if err != nil {
			return err
		}
		return e.WriteValue(b)
	case aList:
		if err := e.WriteToken(jsontext.BeginArray); err != nil {
			return err
		}
		for i := range from.Len() {
			if err := f.elem.write(e, from.Index(i)); err != nil {
				return err
			}
		}
		return e.WriteToken(jsontext.EndArray)
	case aRecord:
		return f.object.write(e, from)
	case aRecordAt:
		return f.object.write(e, from.Elem())
	default:
		return jsonv2.MarshalEncode(e, from.Interface())
	}
}

func writeRaw(e *jsontext.Encoder, raw []byte) error {
	if len(raw) == 0 {
		return e.WriteToken(jsontext.Null)
	}
	return e.WriteValue(raw)
}
