package engineio

import (
	"bufio"
	"errors"
	"io"
	"math"
)

// Over polling, packets are text. A body has one or more packets, with a
// separator between them ("HTTP long-polling" in the protocol). A binary
// message is a "b" and its base64.
const (
	separator  = 0x1e
	binaryMark = 'b'
)

// A payloadReader reads packets from a body while the body arrives. It buffers
// one packet. The length of the body does not matter, except for the size of
// that buffer.
type payloadReader struct {
	body     *bufio.Reader
	maxFrame int64
	buf      []byte
	left     int64 // announced length of the rest of the body; not positive if unknown
	done     bool  // the body has been read to its end
}

func (r *payloadReader) reset(body io.Reader) {
	if r.body == nil {
		r.body = bufio.NewReaderSize(body, readBuffer)
	} else {
		r.body.Reset(body)
	}
	r.left, r.done = 0, false
}

// next returns the next packet, and io.EOF after the last one.
func (r *payloadReader) next() (packet, error) {
	if r.done {
		return packet{}, io.EOF
	}
	if cap(r.buf) > keptBuffer {
		r.buf = nil
	}
	r.buf = r.buf[:0]
	limit := r.maxFrame + min(r.maxFrame/3, math.MaxInt64-8-r.maxFrame) + 8 // for base64
	for {
		part, err := r.body.ReadSlice(separator)
		if len(r.buf)+len(part) > cap(r.buf) {
			r.buf = grow(r.buf, min(r.left, limit-int64(len(r.buf))))
		}
		r.buf = append(r.buf, part...)
		r.left -= int64(len(part))
		if int64(len(r.buf)) > limit {
			return packet{}, tooLong(r.maxFrame)
		}
		switch {
		case err == nil:
			r.buf = r.buf[:len(r.buf)-1]
			return r.packet()
		case err == io.EOF:
			r.done = true
			return r.packet()
		case !errors.Is(err, bufio.ErrBufferFull):
			return packet{}, err
		}
	}
}

func (r *payloadReader) packet() (packet, error) {
	p, err := parseText(r.buf)
	if err != nil {
		return packet{}, err
	}
	if int64(len(p.data)) > r.maxFrame {
		return packet{}, tooLong(r.maxFrame)
	}
	return p, nil
}

// isRevision3 reports whether the last packet is a payload of revision 3. Such
// a payload has a length and a colon before each packet; in its binary form it
// starts with the byte 0 or 1.
func (r *payloadReader) isRevision3() bool {
	digits := 0
	for digits < len(r.buf) && r.buf[digits] >= '0' && r.buf[digits] <= '9' {
		digits++
	}
	return digits > 0 && digits < len(r.buf) && r.buf[digits] == ':' || len(r.buf) > 0 && r.buf[0] <= 1
}

// encodePayload encodes the first n packets into a body of at most limit bytes;
// 0 means no limit. A packet that exceeds the limit has a body of its own.
func encodePayload(packets []packet, limit int64) (body []byte, n int) {
	for i, p := range packets {
		if i > 0 && limit > 0 && int64(len(body)+1+p.encodedLen()) > limit {
			return body, i
		}
		if i > 0 {
			body = append(body, separator)
		}
		body = p.appendText(body)
	}
	return body, len(packets)
}
