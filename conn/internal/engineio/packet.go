package engineio

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

// A packet is one Engine.IO packet. Its data aliases the session's read buffer.
type packet struct {
	kind   packetType
	binary bool // a binary message: a frame of its own, without a type character
	data   []byte
}
