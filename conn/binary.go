package conn

import (
	"errors"
	"fmt"
	"sync"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A placeholder stands for the attachment with index Num in a packet with
// attachments ("Binary event" in the protocol).
type placeholder struct {
	Placeholder bool `json:"_placeholder"`
	Num         int  `json:"num"`
}

// An encoder encodes arguments and replaces every []byte in them with the
// placeholder of an attachment. Encoders are pooled because their options cache
// data about Go types.
type encoder struct {
	options     jsonv2.Options
	attachments [][]byte
}

var encoders = sync.Pool{New: func() any {
	e := new(encoder)
	e.options = jsonv2.JoinOptions(
		jsontext.AllowInvalidUTF8(true),
		jsontext.AllowDuplicateNames(true), // in a json.RawMessage
		jsontext.PreserveRawStrings(true),
		jsonv2.WithMarshalers(jsonv2.MarshalToFunc(e.takeOut)),
	)
	return e
}}

func (e *encoder) takeOut(enc *jsontext.Encoder, b []byte) error {
	if b == nil {
		return enc.WriteToken(jsontext.Null)
	}
	e.attachments = append(e.attachments, b)
	return jsonv2.MarshalEncode(enc, placeholder{true, len(e.attachments) - 1})
}

// encodeArgs encodes arguments as a JSON array. The first argument of an event
// is its name. The attachments are the caller's own slices.
func encodeArgs(args []any) (body, error) {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.attachments = nil
	data, err := jsonv2.Marshal(args, e.options)
	b := body{data, e.attachments}
	e.attachments = nil
	return b, err
}

// body is the payload of a packet: a JSON array and its attachments.
type body struct {
	data        []byte
	attachments [][]byte
}

func (b body) size() int {
	n := len(b.data)
	for _, a := range b.attachments {
		n += len(a)
	}
	return n
}

// errPlaceholder is the error of a placeholder that refers to no attachment.
var errPlaceholder = errors.New("placeholder for a missing attachment")

func attachment(attachments [][]byte, num float64) ([]byte, error) {
	i := int(num)
	if float64(i) != num || i < 0 || i >= len(attachments) {
		return nil, fmt.Errorf("%w: number %v of %d", errPlaceholder, num, len(attachments))
	}
	return attachments[i], nil
}

// putIn returns the options with which a decoder replaces placeholders with
// their attachments, in []byte and in any.
func (d *decoder) putIn() jsonv2.Options {
	if d.binary == nil {
		d.binary = jsonv2.WithUnmarshalers(jsonv2.JoinUnmarshalers(
			jsonv2.UnmarshalFromFunc(d.putInBytes),
			jsonv2.UnmarshalFromFunc(d.putInAny),
		))
	}
	return d.binary
}

func (d *decoder) putInBytes(dec *jsontext.Decoder, b *[]byte) error {
	if dec.PeekKind() != '{' {
		return errors.ErrUnsupported // decode a string as base64, as encoding/json does
	}
	var p struct {
		Placeholder bool    `json:"_placeholder"`
		Num         float64 `json:"num"`
	}
	if err := jsonv2.UnmarshalDecode(dec, &p); err != nil {
		return err
	}
	if !p.Placeholder {
		return errors.New("an object where bytes were expected")
	}
	found, err := attachment(d.attachments, p.Num)
	*b = found
	return err
}

func (d *decoder) putInAny(dec *jsontext.Decoder, v *any) error {
	if dec.PeekKind() != '{' {
		return errors.ErrUnsupported
	}
	var object map[string]any
	if err := jsonv2.UnmarshalDecode(dec, &object); err != nil {
		return err
	}
	if num, ok := object["num"].(float64); ok && object["_placeholder"] == true {
		found, err := attachment(d.attachments, num)
		*v = found
		return err
	}
	*v = object
	return nil
}
