package engineio

import (
	"errors"
	"fmt"
)

// A Message is what a session carries: text or binary. The data of one that
// has been read is good until the next Read.
type Message struct {
	Binary bool
	Data   []byte
}

// packetType is the first character of a packet ("Packet encoding" in the
// protocol).
type packetType byte

// The packet types of revision 4.
const (
	open    packetType = '0'
	closing packetType = '1'
	ping    packetType = '2'
	pong    packetType = '3'
	message packetType = '4'
	upgrade packetType = '5'
	noop    packetType = '6'
)

// A packet is one Engine.IO packet. One that was read aliases the buffer of
// its transport, until the next is read.
type packet struct {
	kind   packetType
	binary bool // a binary message, which has no type character
	data   []byte
}

// parsePacket takes a text packet apart.
func parsePacket(text []byte) (packet, error) {
	if len(text) == 0 {
		return packet{}, &ProtocolError{errors.New("empty packet")}
	}
	kind := packetType(text[0])
	if kind < open || kind > noop {
		return packet{}, &ProtocolError{fmt.Errorf("unknown packet type %q", text[0])}
	}
	return packet{kind, false, text[1:]}, nil
}
