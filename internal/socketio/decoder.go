package socketio

import (
	"bytes"
	"fmt"
)

// A Decoder assembles packets from the messages of a session. A packet is one
// message, and for binary types the attachments that follow it. A Decoder must
// be used by one goroutine at a time.
type Decoder struct {
	MaxAttachments int   // of one packet
	MaxBytes       int64 // of all attachments of one packet

	waiting Packet // not complete yet
	missing int    // attachments
	bytes   int64  // of the attachments so far
}

// Add adds the next message. If that completes a packet, whole is true. A
// packet without attachments aliases data; a packet with attachments is a copy.
func (d *Decoder) Add(data []byte, binary bool) (p Packet, whole bool, err error) {
	if binary {
		return d.attach(data)
	}
	if d.missing > 0 {
		return Packet{}, false, fmt.Errorf("%w: %d attachments are missing", ErrMalformed, d.missing)
	}
	p, err = Parse(data)
	if err != nil || p.Attachments == 0 {
		return p, err == nil, err
	}
	if p.Attachments > d.MaxAttachments {
		return Packet{}, false, fmt.Errorf("%w: %d attachments, the limit is %d", ErrMalformed, p.Attachments, d.MaxAttachments)
	}
	p.Namespace, p.Data = bytes.Clone(p.Namespace), bytes.Clone(p.Data)
	d.waiting, d.missing, d.bytes = p, p.Attachments, 0
	return Packet{}, false, nil
}

func (d *Decoder) attach(data []byte) (Packet, bool, error) {
	if d.missing == 0 {
		return Packet{}, false, fmt.Errorf("%w: unexpected binary message", ErrMalformed)
	}
	if d.bytes += int64(len(data)); d.bytes > d.MaxBytes {
		return Packet{}, false, fmt.Errorf("%w: attachments exceed %d bytes", ErrMalformed, d.MaxBytes)
	}
	d.waiting.Binary = append(d.waiting.Binary, append([]byte{}, data...))
	if d.missing--; d.missing > 0 {
		return Packet{}, false, nil
	}
	p := d.waiting
	d.waiting = Packet{}
	return p, true, nil
}
