package events

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrMissing is the cause in a *[FieldError] for a field that the contract
// requires and the payload leaves out or sets to null.
var ErrMissing = errors.New("required field is missing")

// FieldError says that a payload is JSON and yet not of its type. It never
// repeats what the payload contains.
//
// Errors that pass through a JSON package may be wrapped by it; errors.As finds
// the *FieldError in them.
type FieldError struct {
	Type  string // name of the Go type, such as "AIToken"
	Field string // where, such as "index" or "parts[1].type"; "" is the payload as a whole
	Err   error  // why: ErrMissing, or what was wanted and what was there
}

func (e *FieldError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("events: %s: %v", e.Type, e.Err)
	}
	return fmt.Sprintf("events: %s: field %q: %v", e.Type, e.Field, e.Err)
}

// Unwrap returns Err.
func (e *FieldError) Unwrap() error { return e.Err }

// within is err seen from one level further out, where its place is called
// outer.
func within(outer string, err error) error {
	inner, ok := err.(*FieldError)
	switch {
	case !ok:
		return &FieldError{Field: outer, Err: err}
	case inner.Field[0] == '[':
		inner.Field = outer + inner.Field
	default:
		inner.Field = outer + "." + inner.Field
	}
	return inner
}

func mismatch(want string, v value) error {
	got := "a boolean"
	switch v.kind() {
	case jsontext.KindNull:
		got = "null"
	case jsontext.KindString:
		got = "a string"
	case jsontext.KindNumber:
		got = "a number"
	case jsontext.KindBeginObject:
		got = "an object"
	case jsontext.KindBeginArray:
		got = "an array"
	}
	return fmt.Errorf("want %s, got %s", want, got)
}
