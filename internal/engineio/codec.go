package engineio

import (
	"io"
	"iter"
)

// A Packet is one Engine.IO packet, as a server reads and writes it. A binary
// packet is always a message.
type Packet struct {
	Type   byte // one of the Type constants
	Binary bool
	Data   []byte
}

// The packet types.
const (
	TypeOpen    = byte(open)
	TypeClose   = byte(closing)
	TypePing    = byte(ping)
	TypePong    = byte(pong)
	TypeMessage = byte(message)
	TypeUpgrade = byte(upgrade)
	TypeNoop    = byte(noop)
)

// ParsePacket parses a packet from a text frame. The result aliases text. The
// error is a [*ProtocolError].
func ParsePacket(text []byte) (Packet, error) {
	p, err := parsePacket(text)
	return exported(p), err
}

// Packets reads the packets of a long-polling body. A packet is valid until the
// next one is read. The sequence ends after the first error: a
// [*ProtocolError], or an error of body. A packet of more than maxPacket bytes
// is an error.
func Packets(body io.Reader, maxPacket int64) iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) {
		r := payloadReader{maxFrame: maxPacket}
		r.reset(body)
		for {
			p, err := r.next()
			if err == io.EOF || !yield(exported(p), err) || err != nil {
				return
			}
		}
	}
}

// AppendPayload appends a long-polling body that holds the packets.
func AppendPayload(dst []byte, packets []Packet) []byte {
	for i, p := range packets {
		if i > 0 {
			dst = append(dst, separator)
		}
		dst = p.AppendText(dst)
	}
	return dst
}

// AppendText appends the packet as text, a binary message in base64.
func (p Packet) AppendText(dst []byte) []byte {
	return packet{packetType(p.Type), p.Binary, p.Data}.appendText(dst)
}

func exported(p packet) Packet { return Packet{byte(p.kind), p.binary, p.data} }
