package socketio

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Type is the first byte of a packet ("Packet encoding" in the protocol).
type Type byte

// The packet types of revision 5.
const (
	Connect      Type = '0'
	Disconnect   Type = '1'
	Event        Type = '2'
	Ack          Type = '3'
	ConnectError Type = '4'
	BinaryEvent  Type = '5'
	BinaryAck    Type = '6'
)

// MainNamespace is the namespace of a packet that names none.
const MainNamespace = "/"

// NoID is the ID of a packet without an acknowledgement id.
const NoID = int64(-1)

// MaxHeader is the length of the longest header, without the namespace.
const MaxHeader = len("5") + len("2147483647-") + len(",") + len("9223372036854775807")

// ErrMalformed is wrapped by all errors of this package.
var ErrMalformed = errors.New("malformed packet")

// A Packet is one Socket.IO packet. Its payload is not decoded.
type Packet struct {
	Type        Type
	Namespace   []byte // never empty after Parse
	ID          int64  // NoID if there is none
	Attachments int    // the number of binary messages that follow; 0 unless Type is binary
	Data        []byte // the JSON payload; nil if there is none

	// Binary has the attachments. A Decoder sets it; Parse and Append ignore
	// it.
	Binary [][]byte
}

// Parse decodes the header of a packet. The result aliases data.
func Parse(data []byte) (Packet, error) {
	p := Packet{Namespace: mainNamespace, ID: NoID}
	if len(data) == 0 {
		return p, fmt.Errorf("%w: empty", ErrMalformed)
	}
	p.Type = Type(data[0])
	rest := data[1:]

	switch p.Type {
	case Connect, Disconnect, Event, Ack, ConnectError:
	case BinaryEvent, BinaryAck:
		n, after, ok := number(rest)
		if !ok || n > math.MaxInt32 || len(after) == 0 || after[0] != '-' {
			return p, fmt.Errorf("%w: attachment count", ErrMalformed)
		}
		p.Attachments, rest = int(n), after[1:]
	default:
		return p, fmt.Errorf("%w: unknown type %q", ErrMalformed, data[0])
	}

	if len(rest) > 0 && rest[0] == '/' {
		name, after, _ := bytes.Cut(rest, comma)
		p.Namespace, rest = name, after
	}

	hasID := p.Type != Disconnect && p.Type != ConnectError
	if hasID && len(rest) > 0 && isDigit(rest[0]) {
		id, after, ok := number(rest)
		if !ok {
			return p, fmt.Errorf("%w: acknowledgement id", ErrMalformed)
		}
		p.ID, rest = id, after
	}

	if len(rest) > 0 {
		p.Data = rest
	}
	return p, p.check()
}

// check reports a payload whose first byte does not fit the type of the packet,
// and an acknowledgement without an id.
func (p Packet) check() error {
	var first byte
	if len(p.Data) > 0 {
		first = p.Data[0]
	}
	ok := false
	switch p.Type {
	case Connect:
		ok = first == 0 || first == '{'
	case Disconnect, ConnectError:
		ok = true // backends send any payload, or none
	case Event, BinaryEvent:
		ok = first == '['
	case Ack, BinaryAck:
		ok = first == '[' && p.ID != NoID
	}
	if !ok {
		return fmt.Errorf("%w: payload does not fit type %q", ErrMalformed, byte(p.Type))
	}
	return nil
}

// Append appends the encoding of the packet to dst. An empty Namespace means
// the main one.
func (p Packet) Append(dst []byte) []byte {
	dst = append(dst, byte(p.Type))
	if p.Type == BinaryEvent || p.Type == BinaryAck {
		dst = strconv.AppendInt(dst, int64(p.Attachments), 10)
		dst = append(dst, '-')
	}
	if len(p.Namespace) > 0 && string(p.Namespace) != MainNamespace {
		dst = append(dst, p.Namespace...)
		dst = append(dst, ',')
	}
	if p.ID != NoID {
		dst = strconv.AppendInt(dst, p.ID, 10)
	}
	return append(dst, p.Data...)
}

var (
	mainNamespace = []byte(MainNamespace)
	comma         = []byte{','}
)

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// number decodes the decimal number at the start of b. ok is false if there is
// no number, or if it does not fit an int64.
func number(b []byte) (n int64, rest []byte, ok bool) {
	i := 0
	for i < len(b) && isDigit(b[i]) {
		if n > (math.MaxInt64-9)/10 {
			return 0, b, false
		}
		n = n*10 + int64(b[i]-'0')
		i++
	}
	return n, b[i:], i > 0
}
