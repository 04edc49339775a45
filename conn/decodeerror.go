package conn

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/internal/guard"
)

// A DecodeError reports an event whose payload does not fit the type of a
// subscription or handler. It is published on Conn.DecodeErrors and does not
// end the session. Both DecodeError and *DecodeError are errors, and errors.As
// finds either of them as both types.
type DecodeError struct {
	Event string          // the event's name
	Raw   json.RawMessage // its arguments, as a JSON array

	// Field is the place in the payload, such as "createdAt" or
	// "items[2].size". It is "" for the whole payload, or if it is unknown.
	Field string

	// Delivered reports that the event was delivered without the fields that do
	// not fit. Otherwise it was not delivered.
	Delivered bool

	Err error
}

func (e DecodeError) Error() string { return fmt.Sprintf("conn: event %q: %v", e.Event, e.Err) }

// Unwrap returns the mismatch.
func (e DecodeError) Unwrap() error { return e.Err }

// As sets target, a *DecodeError or a **DecodeError, for errors.As.
func (e DecodeError) As(target any) bool {
	switch target := target.(type) {
	case *DecodeError:
		*target = e
	case **DecodeError:
		*target = &e
	default:
		return false
	}
	return true
}

// Unreadable reports whether err is an error of [Payload.Decode] after which
// the value cannot be used. It returns false for a [*DecodeError] with
// Delivered.
func Unreadable(err error) bool {
	if err == nil {
		return false // without the allocation of errors.As
	}
	var failed *DecodeError
	return !errors.As(err, &failed) || !failed.Delivered
}

// decodeError returns the error of an event whose payload was not decoded, or
// not completely.
func decodeError(event string, raw []byte, err error) *DecodeError {
	failed := &DecodeError{Event: event, Raw: bytes.Clone(raw), Err: err}
	failed.Field, failed.Delivered = leftOut(err)
	return failed
}

// leftOut returns the field of a payload that err is about. usable reports
// whether the payload was decoded without the field. An error of the payload's
// own UnmarshalJSONFrom decides that by its method LeftOut.
func leftOut(err error) (field string, usable bool) {
	var outer *jsonv2.SemanticError
	if errors.As(err, &outer) {
		field = fieldOf(outer.JSONPointer)
	}
	var inner interface {
		error
		LeftOut() (field string, partial bool)
	}
	if !errors.As(err, &inner) {
		return field, false
	}
	name, partial := inner.LeftOut()
	switch {
	case field == "":
		return name, partial // of the payload itself
	case name == "" || name[0] == '[':
		return field + name, false
	default:
		return field + "." + name, false
	}
}

// fieldOf returns the field that a pointer into the arguments points to. Its
// first token is the argument.
func fieldOf(pointer jsontext.Pointer) string {
	var field strings.Builder
	first := true
	for token := range pointer.Tokens() {
		switch _, err := strconv.ParseUint(token, 10, 64); {
		case first:
			first = false
		case err == nil:
			field.WriteString("[" + token + "]")
		case field.Len() > 0:
			field.WriteString("." + token)
		default:
			field.WriteString(token)
		}
	}
	return field.String()
}

// reportDecodeError publishes the error of a listener. It logs one error in
// each decodeLogInterval.
func (c *Conn) reportDecodeError(ctx context.Context, name, data []byte, err error) {
	var failed *DecodeError
	if !errors.As(err, &failed) {
		failed = decodeError(string(name), data, err)
	}
	if more, due := c.decodeLog.next(time.Now()); due {
		// Err may have values of the payload, which can be secret.
		c.log.Warn("conn: payload does not fit", "event", truncate(failed.Event), "field", truncate(failed.Field),
			"delivered", failed.Delivered, "more", more)
	}
	c.publishDecodeError(ctx, failed)
}

func (c *Conn) publishDecodeError(ctx context.Context, failed *DecodeError) {
	c.counters.decodeErrors.Add(1)
	var panicked *bus.PanicError
	if errors.As(guard.Call(func() error {
		return c.decodeErrors.PublishSized(ctx, *failed, elementMemory+len(failed.Raw))
	}), &panicked) {
		c.logPanic("DecodeErrors", panicked)
	}
}

// truncate shortens a text of the server for a log.
func truncate(text string) string {
	const limit = 100
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// decodeLogInterval is the time between two log messages about payloads.
const decodeLogInterval = 10 * time.Second

// A logLimit limits how often a message is logged.
type logLimit struct {
	last    atomic.Int64 // when it was logged, in nanoseconds; 0 for never
	skipped atomic.Int64 // since then
}

// next reports whether the message is due, and how many were skipped before.
func (l *logLimit) next(now time.Time) (skipped int64, due bool) {
	last := l.last.Load()
	if last != 0 && now.UnixNano()-last < int64(decodeLogInterval) || !l.last.CompareAndSwap(last, now.UnixNano()) {
		l.skipped.Add(1)
		return 0, false
	}
	return l.skipped.Swap(0), true
}
