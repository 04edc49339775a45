package conn

import (
	"slices"
	"sync"

	"github.com/seed67206a74/parley/internal/socketio"
)

// outgoing is a packet to write: an event or an acknowledgement, encoded once.
// It is pooled for its buffers, and has no channel while it is in the pool: a
// channel belongs to the synctest bubble that made it.
type outgoing struct {
	buf      []byte // room for the header, then the payload
	room     int    // the index of the payload
	encoder  socketio.Encoder
	messages []Message // the text, then the attachments
	size     int64     // of the messages
	sent     *result   // of its write; nil until it is in a queue
	kept     bool      // the queue's writer still uses it
	self     [1]*outgoing
}

// A result is the result of one write, which may be of several packets.
type result struct {
	done chan struct{} // closed after err is set
	err  error
}

// keptBuffer is the size of the largest buffer that is kept for later packets.
const keptBuffer = 64 << 10

var pool = sync.Pool{New: func() any { return new(outgoing) }}

// encodeEvent encodes an event for this connection's namespace.
func (c *Conn) encodeEvent(name string, args []any) (*outgoing, error) {
	o := c.newOutgoing()
	var err error
	if o.buf, err = o.encoder.AppendEvent(o.buf, name, args); err != nil {
		o.release()
		return nil, err
	}
	return o, nil
}

// encodeArgs encodes the arguments of an acknowledgement.
func (c *Conn) encodeArgs(args []any) (*outgoing, error) {
	o := c.newOutgoing()
	var err error
	if o.buf, err = o.encoder.AppendArgs(o.buf, args); err != nil {
		o.release()
		return nil, err
	}
	return o, nil
}

func (c *Conn) newOutgoing() *outgoing {
	o := pool.Get().(*outgoing)
	o.room = socketio.MaxHeader + len(c.target.namespace)
	o.buf = slices.Grow(o.buf[:0], o.room)[:o.room]
	return o
}

// alone returns a list of o only, without an allocation.
func (o *outgoing) alone() []*outgoing {
	o.self[0] = o
	return o.self[:]
}

// release makes the buffers available for other packets, unless o is still
// being written. The caller may not use o afterwards.
func (o *outgoing) release() {
	if o.kept {
		return
	}
	o.encoder.Attachments = nil // they belong to the user
	clear(o.messages)
	o.messages = o.messages[:0]
	if cap(o.buf) > keptBuffer {
		o.buf = nil
	}
	o.sent = nil
	pool.Put(o)
}

// address sets the header: the packet is for the session s. id is NoID unless
// the packet asks for an acknowledgement or is one.
func (o *outgoing) address(s *Session, t socketio.Type, id int64) {
	attachments := o.encoder.Attachments
	if len(attachments) > 0 {
		t = binaryType[t]
	}
	p := socketio.Packet{Type: t, Namespace: s.namespace, ID: id, Attachments: len(attachments)}
	header := p.Append(o.buf[:0])
	start := o.room - len(header)
	copy(o.buf[start:], header)
	o.messages = append(o.messages[:0], Message{Data: o.buf[start:]})
	o.size = int64(len(o.buf) - start)
	for _, data := range attachments {
		o.messages = append(o.messages, Message{Binary: true, Data: data})
		o.size += int64(len(data))
	}
}

// binaryType has the types of packets with attachments.
var binaryType = map[socketio.Type]socketio.Type{socketio.Event: socketio.BinaryEvent, socketio.Ack: socketio.BinaryAck}
