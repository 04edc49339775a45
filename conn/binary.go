package conn

import (
	"errors"
	"fmt"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

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
