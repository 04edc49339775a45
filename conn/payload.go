package conn

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/seed67206a74/parley/conn/internal/socketio"
)

// Args are the arguments of an event or an acknowledgement, each one as the
// JSON that it came in.
type Args []json.RawMessage

// An Event is any event as it came: its name and all its arguments.
type Event struct {
	Name string
	Args Args
}

// ErrNoPayload is Payload.Decode's answer when an event has no argument.
var ErrNoPayload = errors.New("conn: event without payload")

// A Payload holds the arguments of an event that has just been read. It
// borrows the read buffer: it is good until Sink.Receive returns.
type Payload struct {
	data    []byte // ["name",…]
	id      int64  // of the acknowledgement that the server asks for, or NoID
	session *session
}

// Decode decodes the first argument into v, a pointer, as
// github.com/go-json-experiment/json does, save that names match without
// regard to case, as in encoding/json; of a member that comes twice the last
// one counts, and lone surrogates become U+FFFD. It returns [ErrNoPayload]
// when there is no argument.
func (p Payload) Decode(v any) error {
	if p.session == nil {
		return ErrNoPayload
	}
	return p.session.decoder.first(p.data, 1, v)
}

// Args returns a copy of all arguments.
func (p Payload) Args() (Args, error) {
	if p.session == nil {
		return nil, ErrNoPayload
	}
	return splitArgs(p.data, 1)
}

// The wire is JavaScript's: what JSON.parse takes, is taken. The types are Go's: a
// field without a tag is found as encoding/json would find it.
var decoderOptions = []jsontext.Options{
	jsontext.AllowDuplicateNames(true),
	jsontext.AllowInvalidUTF8(true),
	jsonv2.MatchCaseInsensitiveNames(true),
}

// A decoder decodes arguments out of JSON arrays, and keeps its buffers from
// one to the next. It serves one goroutine.
type decoder struct {
	buf bytes.Buffer
	dec *jsontext.Decoder
}

// first decodes the element of the array data that follows the skipped ones,
// and reads the array to its end.
func (d *decoder) first(data []byte, skip int, v any) error {
	d.buf = *bytes.NewBuffer(data)
	if d.dec == nil {
		d.dec = jsontext.NewDecoder(&d.buf, decoderOptions...)
	} else {
		d.dec.Reset(&d.buf, decoderOptions...)
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	for range skip {
		if err := d.dec.SkipValue(); err != nil {
			return err
		}
	}
	if d.dec.PeekKind() == ']' {
		return ErrNoPayload
	}
	if err := jsonv2.UnmarshalDecode(d.dec, v); err != nil {
		return err
	}
	for d.dec.PeekKind() != ']' {
		if err := d.dec.SkipValue(); err != nil {
			return err
		}
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	if _, err := d.dec.ReadToken(); err != io.EOF {
		return errors.New("something follows the payload")
	}
	return nil
}

// splitArgs copies the elements of the array data that follow the skipped
// ones.
func splitArgs(data []byte, skip int) (Args, error) {
	var all Args
	if err := jsonv2.Unmarshal(data, &all, decoderOptions...); err != nil {
		return nil, err
	}
	return all[min(skip, len(all)):], nil
}

// decodeReply decodes the payload of an acknowledgement into v: its first
// argument, nothing if it has none, or all of them if v is an *Args.
func decodeReply(data []byte, v any) error {
	if all, ok := v.(*Args); ok {
		args, err := splitArgs(data, 0)
		*all = args
		return err
	}
	err := new(decoder).first(data, 0, v)
	if errors.Is(err, ErrNoPayload) {
		return nil
	}
	return err
}

// encodeArgs encodes arguments as a JSON array, an event's with its name in
// front.
func encodeArgs(args []any) ([]byte, error) {
	return jsonv2.Marshal(args, jsontext.AllowInvalidUTF8(true))
}

// Reserved reports whether name is one of those that Socket.IO keeps for
// itself: no event by that name is ever sent or received.
func Reserved(name string) bool { return socketio.Reserved(name) }

func encodeEvent(name string, args []any) ([]byte, error) {
	if socketio.Reserved(name) {
		return nil, errors.New("the name is reserved")
	}
	return encodeArgs(append([]any{name}, args...))
}
