package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// read fills into, a zero struct, from the members of v.
func (o *object) read(v value, into reflect.Value) error {
	if v.raw[0] != '{' {
		return mismatch("an object", v)
	}
	var members [maxFields]value // by field; of several with one name the last counts
	var extra map[string]json.RawMessage
	for b, i := v.raw, skip(v.raw, 1); b[i] != '}'; i = skip(b, i) {
		var name, member value
		name, i = nextValue(b, i)
		member, i = nextValue(b, skip(b, i))
		key := name.raw[1 : len(name.raw)-1]
		if !name.plain {
			key = []byte(name.text())
		}
		if at := o.field(key); at >= 0 {
			members[at] = member
		} else if o.extra >= 0 {
			if extra == nil {
				extra = make(map[string]json.RawMessage)
			}
			extra[string(key)] = bytes.Clone(member.raw)
		}
	}
	for i := range o.fields {
		f := &o.fields[i]
		if raw := members[i].raw; raw == nil || raw[0] == 'n' && !f.takesNull() {
			if f.required {
				return within(f.name, ErrMissing)
			}
			continue
		}
		if err := f.form.read(members[i], into.Field(f.index)); err != nil {
			return within(f.name, err)
		}
	}
	if extra != nil {
		into.Field(o.extra).Set(reflect.ValueOf(extra))
	}
	return nil
}

// takesNull reports whether null is a value of the field: the field is required
// and may be any JSON.
func (f *field) takesNull() bool {
	return f.required && (f.form.shape == anyRaw || f.form.shape == anyValue)
}

// read sets into, which is zero, to v. A null is an error unless any JSON is
// allowed: object.read handles the null members of other types.
func (f *form) read(v value, into reflect.Value) error {
	switch f.shape {
	case aString:
		if v.raw[0] != '"' {
			return mismatch("a string", v)
		}
		into.SetString(v.text())
	case anID:
		id, _ := reflect.TypeAssert[*ID](into.Addr())
		return id.read(v)
	case anInteger:
		return readInteger(v, into)
	case aNumber:
		if v.kind() != jsontext.KindNumber {
			return mismatch("a number", v)
		}
		n, err := strconv.ParseFloat(string(v.raw), 64)
		if err != nil {
			return errors.New("number out of range")
		}
		into.SetFloat(n)
	case aBoolean:
		kind := v.kind()
		if kind != jsontext.KindTrue && kind != jsontext.KindFalse {
			return mismatch("a boolean", v)
		}
		into.SetBool(kind == jsontext.KindTrue)
	case aTime:
		if v.kind() != jsontext.KindString {
			return mismatch("a time", v)
		}
		if err := into.Addr().Interface().(*time.Time).UnmarshalText([]byte(v.text())); err != nil {
			return errors.New("want a time in RFC 3339 format")
		}
	case anyRaw:
		into.SetBytes(bytes.Clone(v.raw))
	case anyValue:
		d := json.NewDecoder(bytes.NewReader(v.raw))
		d.UseNumber()
		return d.Decode(into.Addr().Interface())
	case aList:
		return f.elem.readList(v, into)
	case aRecord:
		return f.object.read(v, into)
	case aRecordAt:
		into.Set(reflect.New(into.Type().Elem()))
		return f.object.read(v, into.Elem())
	}
	return nil
}

func (f *form) readList(v value, into reflect.Value) error {
	if v.raw[0] != '[' {
		return mismatch("an array", v)
	}
	into.Set(reflect.MakeSlice(into.Type(), 0, 0))
	for b, i := v.raw, skip(v.raw, 1); b[i] != ']'; i = skip(b, i) {
		var elem value
		elem, i = nextValue(b, i)
		n := into.Len()
		into.Grow(1)
		into.SetLen(n + 1)
		if err := f.read(elem, into.Index(n)); err != nil {
			return within(fmt.Sprintf("[%d]", n), err)
		}
	}
	return nil
}

func readInteger(v value, into reflect.Value) error {
	if v.kind() != jsontext.KindNumber {
		return mismatch("an integer", v)
	}
	n, err := strconv.ParseInt(string(v.raw), 10, 64)
	if err == nil && !into.OverflowInt(n) {
		into.SetInt(n)
		return nil
	}
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return errors.New("integer out of range")
	}
	return errors.New("want an integer, got a number with a fraction or an exponent")
}
