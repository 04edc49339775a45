package socketio

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// A placeholder stands for an attachment in the payload of a binary packet.
type placeholder struct {
	Placeholder bool `json:"_placeholder"`
	Num         int  `json:"num"`
}

// EncodeArgs encodes arguments as a JSON array by the rules of encoding/json.
// Each []byte, at any depth, becomes a placeholder and an attachment, which
// aliases it.
func EncodeArgs(args ...any) (data []byte, attachments [][]byte, err error) {
	takeOut := func(enc *jsontext.Encoder, b []byte) error {
		if b == nil {
			return enc.WriteToken(jsontext.Null)
		}
		attachments = append(attachments, b)
		return jsonv2.MarshalEncode(enc, placeholder{true, len(attachments) - 1})
	}
	if args == nil {
		args = []any{}
	}
	data, err = jsonv2.Marshal(args, jsonv1.DefaultOptionsV1(),
		jsontext.EscapeForHTML(false),
		jsontext.EscapeForJS(false),
		jsonv2.WithMarshalers(jsonv2.JoinMarshalers(
			jsonv2.MarshalToFunc(takeOut),
			jsonv2.MarshalToFunc(encodeNumber),
		)))
	return data, attachments, err
}

// encodeNumber encodes a json.Number as encoding/json does; the encoder knows
// only the number type of its own package.
func encodeNumber(enc *jsontext.Encoder, n json.Number) error {
	if n == "" {
		n = "0"
	}
	return enc.WriteValue(jsontext.Value(n))
}

// DecodeArg decodes one argument by the rules of encoding/json. Attachments
// replace their placeholders in every []byte and any.
func DecodeArg(arg []byte, attachments [][]byte, into any) error {
	if len(attachments) == 0 {
		return json.Unmarshal(arg, into)
	}
	readBytes := func(dec *jsontext.Decoder, b *[]byte) error {
		if dec.PeekKind() != '{' {
			return errors.ErrUnsupported // null, or a string of base64
		}
		found, ok, err := readAttachment(dec, attachments)
		if err == nil && !ok {
			err = errors.New("object where bytes were expected")
		}
		*b = found
		return err
	}
	value := func(dec *jsontext.Decoder, v *any) error {
		if dec.PeekKind() != '{' {
			return errors.ErrUnsupported
		}
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		found, ok, err := attachmentOf(raw, attachments)
		if err != nil || ok {
			*v = found
			return err
		}
		object := map[string]any{}
		err = jsonv2.Unmarshal(raw, &object, dec.Options())
		*v = object
		return err
	}
	return jsonv2.Unmarshal(arg, into, jsonv1.DefaultOptionsV1(),
		jsonv2.WithUnmarshalers(jsonv2.JoinUnmarshalers(
			jsonv2.UnmarshalFromFunc(readBytes),
			jsonv2.UnmarshalFromFunc(value),
		)))
}

func readAttachment(dec *jsontext.Decoder, attachments [][]byte) ([]byte, bool, error) {
	raw, err := dec.ReadValue()
	if err != nil {
		return nil, false, err
	}
	return attachmentOf(raw, attachments)
}

// attachmentOf returns the attachment of a placeholder. It returns false if the
// object is none.
func attachmentOf(object []byte, attachments [][]byte) ([]byte, bool, error) {
	var p struct {
		Placeholder any `json:"_placeholder"`
		Num         any `json:"num"`
	}
	if err := json.Unmarshal(object, &p); err != nil || p.Placeholder != true {
		return nil, false, err
	}
	num, ok := p.Num.(float64)
	if i := int(num); ok && float64(i) == num && i >= 0 && i < len(attachments) {
		return attachments[i], true, nil
	}
	return nil, false, fmt.Errorf("%w: placeholder for attachment %v of %d", ErrMalformed, p.Num, len(attachments))
}

// Attachment returns the attachment that arg stands for as a whole. It returns
// false if arg is no placeholder.
func Attachment(arg []byte, attachments [][]byte) ([]byte, bool) {
	if len(attachments) == 0 || len(arg) == 0 || arg[0] != '{' {
		return nil, false
	}
	found, ok, err := attachmentOf(arg, attachments)
	return found, ok && err == nil
}

// SplitArgs splits the payload of a packet, a JSON array, into its elements,
// and checks that each placeholder has its attachment. The error is an
// [ErrMalformed].
func SplitArgs(data []byte, attachments [][]byte) ([]json.RawMessage, error) {
	args := []json.RawMessage{}
	if err := json.Unmarshal(data, &args); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if args == nil {
		return nil, fmt.Errorf("%w: payload is no array", ErrMalformed)
	}
	if len(attachments) > 0 {
		var all any
		if err := DecodeArg(data, attachments, &all); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
	}
	return args, nil
}

// InlineBase64 returns an argument with each attachment as a string of base64
// in the place of its placeholder. Numbers keep their digits.
func InlineBase64(arg []byte, attachments [][]byte) (json.RawMessage, error) {
	if len(attachments) == 0 {
		return arg, nil
	}
	var out bytes.Buffer
	lenient := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	var inline func(enc *jsontext.Encoder, dec *jsontext.Decoder) error
	inline = func(enc *jsontext.Encoder, dec *jsontext.Decoder) error {
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		switch raw.Kind() {
		case '{':
			found, ok, err := attachmentOf(raw, attachments)
			if err != nil {
				return err
			}
			if ok {
				return enc.WriteToken(jsontext.String(base64.StdEncoding.EncodeToString(found)))
			}
		case '[':
		default:
			return enc.WriteValue(raw)
		}
		inner := jsontext.NewDecoder(bytes.NewReader(bytes.Clone(raw)), lenient...)
		begin, err := inner.ReadToken()
		if err != nil {
			return err
		}
		if err := enc.WriteToken(begin); err != nil {
			return err
		}
		for inner.PeekKind() != '}' && inner.PeekKind() != ']' {
			if err := inline(enc, inner); err != nil { // member names are values, too
				return err
			}
		}
		end, err := inner.ReadToken()
		if err != nil {
			return err
		}
		return enc.WriteToken(end)
	}
	err := inline(jsontext.NewEncoder(&out, lenient...), jsontext.NewDecoder(bytes.NewReader(arg), lenient...))
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}
