package conn

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/seed67206a74/parley/internal/socketio"
)

// Args are the arguments of an event or an acknowledgement, as JSON.
type Args []json.RawMessage

// An Event is an event in its raw form: the name and all arguments. Binary data
// in an argument is a placeholder in its JSON: {"_placeholder":true,"num":N}
// stands for attachment N. Decode replaces placeholders with their attachments.
type Event struct {
	Name        string
	Args        Args
	Attachments [][]byte
}

// Decode decodes argument i into v as [Payload.Decode] does the first one. It
// returns [ErrNoPayload] if there is no such argument.
func (e Event) Decode(i int, v any) error {
	if i < 0 || i >= len(e.Args) {
		return ErrNoPayload
	}
	array := slices.Concat([]byte{'['}, e.Args[i], []byte{']'})
	return new(decoder).first(body{array, e.Attachments}, 0, v)
}

// ErrNoPayload is returned by Payload.Decode and Event.Decode if there is no
// argument to decode.
var ErrNoPayload = errors.New("conn: event without payload")

// A Payload holds the arguments of an event that has just been read. It refers
// to the read buffer, so it is valid until Listener.Receive returns.
type Payload struct {
	body    body  // ["name",…]
	id      int64 // of the acknowledgement that the server asks for, or NoID
	session *Session
	offset  bool  // the server added the last argument, for recovery
	err     error // of a payload that is not decoded; or nil
}

// Decode decodes the first argument into v, a pointer, as
// github.com/go-json-experiment/json does, with three differences. Names match
// without regard to case, as in encoding/json. A duplicate member replaces the
// earlier one, and nothing of that remains. Lone surrogates become U+FFFD. A
// type with the method UnmarshalJSONFrom gets the JSON with its duplicates.
//
// Binary data is decoded into []byte and any. Decode returns [ErrNoPayload] if
// there is no argument. Any other error is a [*DecodeError]. If that has
// Delivered, v was decoded without the fields that do not fit. A listener then
// delivers v and returns the error, so that it is reported; see [Unreadable].
func (p Payload) Decode(v any) error {
	if p.session == nil {
		return ErrNoPayload
	}
	err := p.err
	if err == nil {
		err = p.session.decoder.first(p.body, 1, v)
	}
	switch {
	case err == nil || err == ErrNoPayload:
		return err
	case p.offset && p.arguments() == 1:
		return ErrNoPayload
	}
	name, _ := socketio.EventName(p.body.data)
	return decodeError(string(name), p.body.data, err)
}

// Args returns a copy of all arguments.
func (p Payload) Args() (Args, error) {
	if p.session == nil {
		return nil, ErrNoPayload
	}
	return splitArgs(p.body.data, 1)
}

// Epoch returns the epoch of the session that the event arrived on; see
// [State].
func (p Payload) Epoch() uint64 {
	if p.session == nil {
		return 0
	}
	return p.session.epoch
}

// arguments returns the number of arguments; 0 if they are not valid JSON.
func (p Payload) arguments() int {
	args, _ := p.Args()
	return len(args)
}

// decoderOptions accept the JSON that JSON.parse accepts. A field without a tag
// is found as encoding/json finds it.
var decoderOptions = []jsontext.Options{
	jsontext.AllowDuplicateNames(true),
	jsontext.AllowInvalidUTF8(true),
	jsonv2.MatchCaseInsensitiveNames(true),
}

// A decoder decodes arguments from JSON arrays, and reuses its buffers. It is
// not safe for concurrent use.
type decoder struct {
	buf bytes.Buffer
	dec *jsontext.Decoder

	binary      jsonv2.Options // created on first use
	attachments [][]byte       // of the array being decoded

	intern func([]byte) string // of a texts; created on first use
}

// first decodes the element after the first skip elements, and reads the array
// to its end.
func (d *decoder) first(b body, skip int, v any) error {
	if d.common(b, skip, v) {
		return nil
	}
	data := b.data
	if _, own := v.(jsonv2.UnmarshalerFrom); !own {
		data = socketio.LastMembers(data)
	}
	d.buf = *bytes.NewBuffer(data)
	if d.dec == nil {
		d.dec = jsontext.NewDecoder(&d.buf, decoderOptions...)
	} else {
		d.dec.Reset(&d.buf, decoderOptions...)
	}
	d.attachments = b.attachments
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
	var err error
	if d.attachments == nil {
		err = jsonv2.UnmarshalDecode(d.dec, v)
	} else {
		err = jsonv2.UnmarshalDecode(d.dec, v, d.putIn())
	}
	if err != nil {
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
		return errors.New("data after the payload")
	}
	return nil
}

// splitArgs copies the elements of the array after the first skip elements.
func splitArgs(data []byte, skip int) (Args, error) {
	var all Args
	if err := jsonv2.Unmarshal(data, &all, decoderOptions...); err != nil {
		return nil, err
	}
	return all[min(skip, len(all)):], nil
}

// decodeReply decodes the payload of an acknowledgement into v. An *Args or
// *Event receives all arguments, any other v the first; without arguments v
// does not change.
func decodeReply(event string, c body, v any) error {
	switch v := v.(type) {
	case *Args:
		args, err := splitArgs(c.data, 0)
		*v = args
		return err
	case *Event:
		args, err := splitArgs(c.data, 0)
		*v = Event{event, args, c.attachments}
		return err
	}
	err := new(decoder).first(c, 0, v)
	if errors.Is(err, ErrNoPayload) {
		return nil
	}
	return err
}

// Reserved reports whether Socket.IO reserves name. An event with a reserved
// name is neither sent nor received.
func Reserved(name string) bool { return socketio.Reserved(name) }

func isJSON(data []byte) bool { return jsontext.Value(data).IsValid(decoderOptions...) }

// exceedsDepth reports whether arrays and objects in data nest deeper than
// limit. It does not detect invalid JSON, which the decoder does.
func exceedsDepth(data []byte, limit int) bool {
	if len(data) <= limit {
		return false // most events: each level needs a byte
	}
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '[' || b == '{':
			if depth++; depth > limit {
				return true
			}
		case b == ']' || b == '}':
			depth--
		}
	}
	return false
}
