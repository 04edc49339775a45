package events

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// One codec for each type of the contract. The JSON methods of the type only
// call the codec's.
var (
	userMessage  = newCodec[UserMessage]()
	part         = newCodec[Part]()
	typing       = newCodec[Typing]()
	abort        = newCodec[Abort]()
	read         = newCodec[Read]()
	chatMessage  = newCodec[ChatMessage]()
	presence     = newCodec[Presence]()
	aiProcessing = newCodec[AIProcessing]()
	aiToken      = newCodec[AIToken]()
	aiMessage    = newCodec[AIMessage]()
	usage        = newCodec[Usage]()
	aiError      = newCodec[AIError]()
	aiToolCall   = newCodec[AIToolCall]()
	aiToolResult = newCodec[AIToolResult]()
)

// codec reads and writes payloads of type T, using a table that is built once
// from T's fields. A field tagged `json:"name"` is required, and a field tagged
// `json:"name,omitzero"` is optional. A field Extra holds the members that have
// no field. A tag `enum:"a|b"` lists the values that the contract allows;
// reading does not check it.
//
// A tag `read:"…"` lists the habits of backends that reading accepts:
//
//	number        a number, kept as its text
//	missing       no value, although the field is required
//	missing=-1    the same, and the field is then -1
//	or=error      the member "error" if the field has no member of its own
//	or=error.code the member "code" of the member "error", likewise
//	payload       a string in place of the whole object
type codec[T any] struct{ object }

// objects has the tables of all codecs.
var objects = map[reflect.Type]*object{}

func newCodec[T any]() *codec[T] {
	c := &codec[T]{newObject(reflect.TypeFor[T]())}
	objects[reflect.TypeFor[T]()] = &c.object
	return c
}

func (c *codec[T]) decode(d *jsontext.Decoder, into *T) error {
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	var zero T
	*into = zero
	if err := c.read(value{raw: raw}, reflect.ValueOf(into).Elem()); err != nil {
		err.Type = c.name
		return err
	}
	return nil
}

func (c *codec[T]) encode(e *jsontext.Encoder, from *T) error {
	b, err := c.append(e.AvailableBuffer(), reflect.ValueOf(from).Elem())
	if err != nil {
		return err
	}
	return e.WriteValue(b)
}

// lenient accepts the same JSON as a browser's JSON.parse.
var lenient = jsonv2.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

func unmarshal(b []byte, into any) error {
	err := jsonv2.Unmarshal(b, into, lenient)
	if failure, ok := errors.AsType[*FieldError](err); ok {
		return failure // without the JSON package's wrapping
	}
	return err
}

func marshal(from any) ([]byte, error) {
	return jsonv2.Marshal(from, lenient, jsontext.PreserveRawStrings(true))
}

// object describes the JSON of a struct.
type object struct {
	name     string
	fields   []field
	extra    int  // index of the field Extra, -1 without one
	required uint // bits of the fields that the common form has
	whole    int  // index in fields of the field that a string sets in place of the object, or -1
}

// maxFields is the number of fields of the largest type, without Extra.
const maxFields = 9

type field struct {
	name     string // in JSON
	quoted   string // the name as JSON, and a colon
	index    int    // in the struct
	required bool
	form     form
	repeats  bool // events of the same answer have the same text

	needed  bool       // an object without the field cannot be used
	missing value      // takes the place of a missing member; nil raw for none
	or      [][]string // paths of members that take its place before that
}

// form describes the JSON of a field's type.
type form struct {
	shape  shape
	elem   *form   // of a list
	object *object // of a record
}

type shape uint8

const (
	aString shape = iota
	aText         // a string that may be a number
	anID
	anInteger
	aCount // an integer that may have a fraction or be in a string
	aNumber
	aBoolean
	aTime
	anyRaw    // json.RawMessage
	anyValue  // any
	aList     // a slice
	aRecord   // a struct
	aRecordAt // a pointer to a struct
)

func newObject(t reflect.Type) object {
	o := object{name: t.Name(), extra: -1, whole: -1}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "Extra" {
			o.extra = i
			continue
		}
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		required := option != "omitzero"
		o.fields = append(o.fields, field{
			name: name, quoted: `"` + name + `":`, index: i, required: required, form: formOf(f.Type), needed: required,
			repeats: f.Type == reflect.TypeFor[ID]() || f.Tag.Get("enum") != "" || name == "traceId" || name == "requestId",
		})
		last := len(o.fields) - 1
		if required {
			o.required |= 1 << last
		}
		for accepted := range strings.SplitSeq(f.Tag.Get("read"), ",") {
			switch name, arg, _ := strings.Cut(accepted, "="); name {
			case "number":
				o.fields[last].form = aNumericText(o.fields[last].form)
			case "missing":
				o.fields[last].needed, o.fields[last].missing.raw = false, []byte(arg)
			case "or":
				o.fields[last].or = append(o.fields[last].or, strings.Split(arg, "."))
			case "payload":
				o.whole = last
			}
		}
	}
	return o
}

// aNumericText returns the form of a string, or of a list of strings, that may
// be numbers.
func aNumericText(f form) form {
	if f.shape == aList {
		elem := aNumericText(*f.elem)
		return form{shape: aList, elem: &elem}
	}
	return form{shape: aText}
}

func formOf(t reflect.Type) form {
	switch t {
	case reflect.TypeFor[ID]():
		return form{shape: anID}
	case reflect.TypeFor[time.Time]():
		return form{shape: aTime}
	case reflect.TypeFor[json.RawMessage]():
		return form{shape: anyRaw}
	}
	switch t.Kind() {
	case reflect.Int:
		return form{shape: anInteger}
	case reflect.Int64:
		return form{shape: aCount}
	case reflect.Float64:
		return form{shape: aNumber}
	case reflect.Bool:
		return form{shape: aBoolean}
	case reflect.Interface:
		return form{shape: anyValue}
	case reflect.Slice:
		elem := formOf(t.Elem())
		return form{shape: aList, elem: &elem}
	case reflect.Struct:
		o := newObject(t)
		return form{shape: aRecord, object: &o}
	case reflect.Pointer:
		o := newObject(t.Elem())
		return form{shape: aRecordAt, object: &o}
	default:
		return form{shape: aString}
	}
}

// field returns the index of the field with this name in JSON, or -1.
func (o *object) field(name []byte) int {
	for i := range o.fields {
		if o.fields[i].name == string(name) {
			return i
		}
	}
	return -1
}
