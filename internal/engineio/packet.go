package engineio

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
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

// parseText parses a packet that is text, or binary data in base64. It decodes
// the base64 in place.
func parseText(text []byte) (packet, error) {
	if len(text) == 0 || text[0] != binaryMark {
		return parsePacket(text)
	}
	// The decoder reads ahead of its writes.
	n, err := base64.StdEncoding.Decode(text, text[1:])
	if err != nil {
		return packet{}, &ProtocolError{errors.New("invalid base64")}
	}
	return packet{message, true, text[:n]}, nil
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

// maxInterval limits the ping interval and the ping timeout. A longer one would
// detect no lost connection in useful time, and may overflow time.Duration.
const maxInterval = 24 * time.Hour

// parseHandshake parses the payload of the open packet. Of duplicate members
// the last one counts, as with JSON.parse.
func parseHandshake(data []byte) (handshake, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return handshake{}, fmt.Errorf("open packet: %w", err)
	}
	var h handshake
	if json.Unmarshal(members["sid"], &h.sid) != nil || h.sid == "" {
		return handshake{}, errors.New("open packet: no sid")
	}
	_ = json.Unmarshal(members["upgrades"], &h.upgrades) // of another type: none
	var err error
	if h.pingInterval, err = milliseconds(members, "pingInterval"); err != nil {
		return handshake{}, err
	}
	if h.pingTimeout, err = milliseconds(members, "pingTimeout"); err != nil {
		return handshake{}, err
	}
	var limit float64
	_ = json.Unmarshal(members["maxPayload"], &limit) // of another type: no limit
	if limit >= 1 && limit <= 1<<40 {
		h.maxPayload = int64(limit)
	}
	return h, nil
}

// milliseconds returns a duration of the open packet, at most maxInterval.
func milliseconds(members map[string]json.RawMessage, name string) (time.Duration, error) {
	ms, err := strconv.ParseFloat(string(members[name]), 64)
	switch {
	case ms > float64(maxInterval.Milliseconds()): // or infinite, which is an error as well
		return maxInterval, nil
	case err != nil || !(ms > 0):
		return 0, fmt.Errorf("open packet: invalid %s", name)
	}
	return time.Duration(ms * float64(time.Millisecond)), nil
}
