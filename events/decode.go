package events

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// read fills into, a zero struct, from the members of v. The error reports the
// first field that the object cannot be used without. If there is none, it
// reports the first that was left out. The other fields are set in either case.
func (o *object) read(v value, into reflect.Value) *FieldError {
	if v.raw[0] != '{' {
		if v.raw[0] == '"' && o.whole >= 0 {
			into.Field(o.fields[o.whole].index).SetString(v.text())
			return nil
		}
		return &FieldError{Err: mismatch("an object", v)}
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
	var failed *FieldError
	for i := range o.fields {
		f := &o.fields[i]
		if err := f.read(members[i], extra, into.Field(f.index)); err != nil && (failed == nil || failed.Partial && !err.Partial) {
			failed = err
		}
	}
	if extra != nil {
		into.Field(o.extra).Set(reflect.ValueOf(extra))
	}
	return failed
}

// read sets into, which is zero, to a member of an object. The member's raw is
// nil if the object has none.
func (f *field) read(member value, extra map[string]json.RawMessage, into reflect.Value) *FieldError {
	if f.lacks(member) && extra != nil {
		member = f.substitute(extra)
	}
	if f.lacks(member) {
		if f.needed {
			return within(f.name, ErrMissing)
		}
		f.leaveOut(into)
		return nil
	}
	err := f.form.read(member, into)
	if err == nil {
		return nil
	}
	failed := within(f.name, err)
	if !failed.Partial { // no part of the field can be used
		f.leaveOut(into)
		failed.Partial = !f.needed
	}
	return failed
}

// lacks reports whether member is no value of the field.
func (f *field) lacks(member value) bool {
	return member.raw == nil || member.raw[0] == 'n' && !f.takesNull()
}

// leaveOut sets into to the value of a missing member.
func (f *field) leaveOut(into reflect.Value) {
	into.SetZero()
	if len(f.missing.raw) > 0 {
		_ = f.form.read(f.missing, into) // a constant of the type's tag
	}
}

// substitute returns the first of the members in f.or that is of the field's
// type.
func (f *field) substitute(extra map[string]json.RawMessage) value {
	for _, path := range f.or {
		v := value{raw: extra[path[0]]}
		for _, name := range path[1:] {
			v = v.member(name)
		}
		if v.raw != nil && f.form.read(v, reflect.New(reflect.TypeFor[string]()).Elem()) == nil {
			return v
		}
	}
	return value{}
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
	case aText:
		switch v.kind() {
		case jsontext.KindString:
			into.SetString(v.text())
		case jsontext.KindNumber:
			into.SetString(string(v.raw))
		default:
			return mismatch("a string", v)
		}
	case anID:
		id, _ := reflect.TypeAssert[*ID](into.Addr())
		return id.read(v)
	case anInteger:
		return readInteger(v, into)
	case aCount:
		return readCount(v, into)
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
		at, err := readTime(v)
		if err != nil {
			return err
		}
		*into.Addr().Interface().(*time.Time) = at
	case anyRaw:
		into.SetBytes(bytes.Clone(v.raw))
	case anyValue:
		d := json.NewDecoder(bytes.NewReader(v.raw))
		d.UseNumber()
		return d.Decode(into.Addr().Interface())
	case aList:
		return f.elem.readList(v, into)
	case aRecord:
		return f.object.readRecord(v, into)
	case aRecordAt:
		into.Set(reflect.New(into.Type().Elem()))
		return f.object.readRecord(v, into.Elem())
	}
	return nil
}

// readRecord is read for a value inside a payload.
func (o *object) readRecord(v value, into reflect.Value) error {
	err := o.read(v, into)
	switch {
	case err == nil:
		return nil
	case err.Field == "":
		return err.Err
	default:
		return err
	}
}

func (f *form) readList(v value, into reflect.Value) error {
	if v.raw[0] != '[' {
		return mismatch("an array", v)
	}
	var partial error
	into.Set(reflect.MakeSlice(into.Type(), 0, 0))
	for b, i := v.raw, skip(v.raw, 1); b[i] != ']'; i = skip(b, i) {
		var elem value
		elem, i = nextValue(b, i)
		n := into.Len()
		into.Grow(1)
		into.SetLen(n + 1)
		if err := f.read(elem, into.Index(n)); err != nil {
			failed := within(fmt.Sprintf("[%d]", n), err)
			if !failed.Partial {
				return failed
			}
			partial = cmp.Or(partial, error(failed))
		}
	}
	return partial
}
