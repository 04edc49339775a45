package engineio

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
)

// A Message is a text or binary message of a session. The data of a received
// message is valid until the next Read.
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

	wsPong packetType = 'P' // the websocket's own pong, no packet of Engine.IO
)

// A packet is one Engine.IO packet. The data of a received packet aliases the
// buffer of its transport until the next read.
type packet struct {
	kind   packetType
	binary bool // a binary message, which has no type character
	data   []byte
}

// parsePacket parses a text packet.
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
	upgrades     []string      // transports to which a session over polling may move
	pingInterval time.Duration // between the server's pings
	pingTimeout  time.Duration // how late a ping may be
	maxPayload   int64         // limit of a POST body in bytes; 0 for no limit
}

// maxInterval is the longest ping interval or timeout that is accepted. A
// longer one detects no lost connection in useful time, and may overflow
// time.Duration.
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
	if open.MaxPayload >= 1 && open.MaxPayload <= 1<<40 { // otherwise there is no limit
		h.maxPayload = int64(open.MaxPayload)
	}
	return h, nil
}

func milliseconds(name string, ms float64) (time.Duration, error) {
	if !(ms > 0 && ms <= float64(maxInterval.Milliseconds())) {
		return 0, fmt.Errorf("open packet: %s is out of range: %v ms", name, ms)
	}
	return time.Duration(ms * float64(time.Millisecond)), nil
}
