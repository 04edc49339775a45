package socketio

import (
	"bytes"
	"fmt"
)

// A Decoder puts packets together from the messages of a session: one message,
// and for the binary types the attachments that follow it. It serves one
// goroutine.
type Decoder struct {
	MaxAttachments int   // of one packet
	MaxBytes       int64 // of one packet's attachments together

	waiting Packet // for attachments
	missing int
	bytes   int64
}

// Add takes the next message, and reports whether a packet is whole with it.
// A packet without attachments aliases data; one with attachments is a copy.
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
		return Packet{}, false, fmt.Errorf("%w: binary message that no packet announced", ErrMalformed)
	}
	if d.bytes += int64(len(data)); d.bytes > d.MaxBytes {
		return Packet{}, false, fmt.Errorf("%w: attachments of more than %d bytes", ErrMalformed, d.MaxBytes)
	}
	d.waiting.Binary = append(d.waiting.Binary, append([]byte{}, data...))
	if d.missing--; d.missing > 0 {
		return Packet{}, false, nil
	}
	p := d.waiting
	d.waiting = Packet{}
	return p, true, nil
}
