package engineio

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
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

func (p packet) encodedLen() int {
	if p.binary {
		return 1 + base64.StdEncoding.EncodedLen(len(p.data))
	}
	return 1 + len(p.data)
}

func (p packet) appendText(dst []byte) []byte {
	if p.binary {
		return base64.StdEncoding.AppendEncode(append(dst, binaryMark), p.data)
	}
	return append(append(dst, byte(p.kind)), p.data...)
}

// A handshake is the content of the server's open packet.
type handshake struct {
	sid          string
	upgrades     []string      // what a session over polling may move to
	pingInterval time.Duration // how often the server pings
	pingTimeout  time.Duration // how much later than that a ping may come
	maxPayload   int64         // bytes that the server takes in one post; 0 for no limit
}

// maxInterval bounds what a server may ask for: past a day a heartbeat tells
// nothing, and a larger number of milliseconds may overflow.
const maxInterval = 24 * time.Hour

func parseHandshake(data []byte) (handshake, error) {
	var open struct {
		SID          string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingInterval float64  `json:"pingInterval"`
		PingTimeout  float64  `json:"pingTimeout"`
		MaxPayload   float64  `json:"maxPayload"`
	}
	if err := json.Unmarshal(data, &open); err != nil {
		return handshake{}, fmt.Errorf("open packet: %w", err)
	}
	if open.SID == "" {
		return handshake{}, fmt.Errorf("open packet: no sid")
	}
	h := handshake{sid: open.SID, upgrades: open.Upgrades}
	var err error
	if h.pingInterval, err = milliseconds("pingInterval", open.PingInterval); err != nil {
		return handshake{}, err
	}
	if h.pingTimeout, err = milliseconds("pingTimeout", open.PingTimeout); err != nil {
		return handshake{}, err
	}
	if open.MaxPayload >= 1 && open.MaxPayload <= 1<<40 { // else it is no limit
		h.maxPayload = int64(open.MaxPayload)
	}
	return h, nil
}

func milliseconds(name string, ms float64) (time.Duration, error) {
	if !(ms > 0 && ms <= float64(maxInterval.Milliseconds())) {
		return 0, fmt.Errorf("open packet: %s of %v ms", name, ms)
	}
	return time.Duration(ms * float64(time.Millisecond)), nil
}
