package events

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrMissing is the cause of a *[FieldError] for a required field that is
// missing or null.
var ErrMissing = errors.New("required field is missing")

// FieldError reports that a payload is valid JSON but does not fit its type.
// Its text contains no values of the payload.
//
// A JSON package may wrap it. errors.As finds the *FieldError.
type FieldError struct {
	Type  string // name of the Go type, such as "AIToken"
	Field string // the place, such as "index" or "parts[1].type"; "" for the whole payload
	Err   error  // ErrMissing, or an error that names the expected type

	// Partial reports that only this field was left out, and others of the
	// same kind. All other fields are set, so the payload can be used.
	Partial bool
}

// Error returns the type, the field and the reason.
func (e *FieldError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("events: %s: %v", e.Type, e.Err)
	}
	return fmt.Sprintf("events: %s: field %q: %v", e.Type, e.Field, e.Err)
}

// Unwrap returns Err.
func (e *FieldError) Unwrap() error { return e.Err }

// LeftOut returns Field and Partial. Package conn finds it by its signature.
func (e *FieldError) LeftOut() (field string, partial bool) { return e.Field, e.Partial }

// within returns err with outer added in front of its field.
func within(outer string, err error) *FieldError {
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
