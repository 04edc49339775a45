package engineio

// Type is the first character of a packet ("Packet encoding" in the protocol).
type Type byte

// The packet types of revision 4.
const (
	Open    Type = '0'
	Close   Type = '1'
	Ping    Type = '2'
	Pong    Type = '3'
	Message Type = '4'
	Upgrade Type = '5'
	Noop    Type = '6'
)

// A Packet is one Engine.IO packet. Data aliases the session's read buffer.
type Packet struct {
	Type   Type
	Binary bool // a binary message: a frame of its own, without a type character
	Data   []byte
}
