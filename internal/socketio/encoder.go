package socketio

import (
	"encoding/json"
	"errors"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// An Encoder encodes arguments with github.com/go-json-experiment/json. Each
// []byte in them, at any depth, becomes a placeholder and an attachment; a nil
// one becomes null. A json.RawMessage that is an argument is unchanged. The
// zero Encoder is ready to use, by one goroutine at a time.
type Encoder struct {
	// Attachments are those of the arguments so far. They alias the arguments.
	Attachments [][]byte

	out     sink
	json    *jsontext.Encoder
	options jsonv2.Options // of json; they cache data about Go types
}

// An Appender is an argument that encodes itself. AppendArg appends its JSON to
// b, and may encode parts of it with e.
type Appender interface {
	AppendArg(b []byte, e *Encoder) ([]byte, error)
}

// keptBuffer is the size of an argument after which an Encoder drops the buffer
// of the JSON module.
const keptBuffer = 64 << 10

// lenient accepts the same JSON as JSON.parse.
var lenient = jsonv2.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), jsontext.PreserveRawStrings(true))

// AppendArgs appends the arguments to b as a JSON array.
func (e *Encoder) AppendArgs(b []byte, args []any) ([]byte, error) {
	b = append(b, '[')
	for i, arg := range args {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = e.Append(b, arg); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

// AppendEvent appends the payload of an event to b: an array of its name and
// its arguments. A reserved name is an error.
func (e *Encoder) AppendEvent(b []byte, name string, args []any) ([]byte, error) {
	if Reserved(name) {
		return b, errors.New("the name is reserved")
	}
	b = appendString(append(b, '['), name)
	for _, arg := range args {
		var err error
		if b, err = e.Append(append(b, ','), arg); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

// Append appends one argument to b.
func (e *Encoder) Append(b []byte, arg any) ([]byte, error) {
	switch arg := arg.(type) {
	case string:
		return appendString(b, arg), nil
	case Appender:
		return arg.AppendArg(b, e)
	case json.RawMessage:
		if utf8.Valid(arg) && jsontext.Value(arg).IsValid(lenient) {
			return append(b, arg...), nil
		}
	}
	if e.json == nil {
		e.options = jsonv2.JoinOptions(lenient, jsonv2.Deterministic(true), jsonv2.WithMarshalers(jsonv2.MarshalToFunc(e.takeOut)))
		e.json = jsontext.NewEncoder(&e.out, e.options)
	} else {
		e.json.Reset(&e.out, e.options)
	}
	start := len(b)
	e.out = b
	err := jsonv2.MarshalEncode(e.json, arg)
	b, e.out = e.out, nil
	if err != nil {
		return b, err
	}
	if len(b)-start > keptBuffer {
		e.json = nil
	}
	return b[:len(b)-1], nil // without the newline
}

func (e *Encoder) takeOut(enc *jsontext.Encoder, b []byte) error {
	if b == nil {
		return enc.WriteToken(jsontext.Null)
	}
	e.Attachments = append(e.Attachments, b)
	return jsonv2.MarshalEncode(enc, placeholder{true, len(e.Attachments) - 1})
}

// A sink is an io.Writer that appends.
type sink []byte

func (s *sink) Write(p []byte) (int, error) {
	*s = append(*s, p...)
	return len(p), nil
}

// appendString appends s as JSON. Invalid UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // the error only reports invalid UTF-8
	return b
}
