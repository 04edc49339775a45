package engineio

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func text(s string) packet { return packet{message, false, []byte(s)} }

func binary(s string) packet { return packet{message, true, []byte(s)} }

// readAll reads a body to its end, and copies its packets.
func readAll(r *payloadReader) (packets []packet, err error) {
	for {
		p, err := r.next()
		if err == io.EOF {
			return packets, nil
		}
		if err != nil {
			return packets, err
		}
		p.data = bytes.Clone(p.data)
		packets = append(packets, p)
	}
}

func TestPayloadReader_splitsAtSeparators(t *testing.T) {
	r := payloadReader{maxFrame: 100}
	for body, want := range map[string][]packet{
		"4a":                          {text("a")},
		"4a\x1e2\x1ebAQI=\x1e4":       {text("a"), {kind: ping, data: []byte{}}, binary("\x01\x02"), text("")},
		"4" + strings.Repeat("x", 99): {text(strings.Repeat("x", 99))},
	} {
		r.reset(iotest.OneByteReader(strings.NewReader(body)))
		got, err := readAll(&r)
		require.NoError(t, err, body)
		assert.Equal(t, want, got)
	}
}

func TestPayloadReader_returnsProtocolErrorOnInvalidBody(t *testing.T) {
	for _, body := range []string{"", "4a\x1e", "9", "b!!", "b====", "4" + strings.Repeat("x", 200), "4" + strings.Repeat("x", 101)} {
		r := payloadReader{maxFrame: 100}
		r.reset(strings.NewReader(body))
		_, err := readAll(&r)
		var protocol *ProtocolError
		assert.ErrorAs(t, err, &protocol, body)
	}
}

func TestPayloadReader_dropsIncompletePacket(t *testing.T) {
	r := payloadReader{maxFrame: 100}
	broken := errors.New("broken")
	r.reset(io.MultiReader(strings.NewReader("4a\x1e4hal"), iotest.ErrReader(broken)))
	got, err := readAll(&r)
	assert.ErrorIs(t, err, broken)
	assert.Equal(t, []packet{text("a")}, got)
}

func encodePayloads(packets []packet, limit int64) (bodies [][]byte) {
	for len(packets) > 0 {
		body, n := encodePayload(packets, limit)
		bodies, packets = append(bodies, body), packets[n:]
	}
	return bodies
}

func TestEncodePayload_splitsAtMaxPayload(t *testing.T) {
	packets := []packet{text("1234"), text("123"), binary("123"), text(strings.Repeat("x", 20)), text("5"), {kind: pong}}
	var got []string
	for _, body := range encodePayloads(packets, 10) {
		got = append(got, string(body))
	}
	assert.Equal(t, []string{"41234\x1e4123", "bMTIz", "4" + strings.Repeat("x", 20), "45\x1e3"}, got)
	assert.Len(t, encodePayloads(packets, 0), 1)
	assert.Empty(t, encodePayloads(nil, 10))
}

func TestPayloadReader_detectsRevision3(t *testing.T) {
	for body, want := range map[string]bool{
		`96:0{"sid":"x"}2:40`: true, "\x00\x09\x06\xff0{}": true, `0{"sid":"x"}`: false, `4hello`: false, ``: false, `12`: false,
	} {
		r := payloadReader{maxFrame: 100}
		r.reset(strings.NewReader(body))
		_, _ = r.next()
		assert.Equal(t, want, r.isRevision3(), body)
	}
}

// FuzzPayload decodes a body, encodes the packets, and decodes them again. The
// packets must be the same.
func FuzzPayload(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte, limit int64) {
		r := payloadReader{maxFrame: 1 << 10}
		r.reset(bytes.NewReader(body))
		packets, err := readAll(&r)
		require.LessOrEqual(t, cap(r.buf), keptBuffer)
		if err != nil {
			return
		}
		var again []packet
		for _, encoded := range encodePayloads(packets, limit) {
			r.reset(bytes.NewReader(encoded))
			some, err := readAll(&r)
			require.NoError(t, err)
			again = append(again, some...)
		}
		require.Equal(t, packets, again)
	})
}

// The largest limit is no limit.
func TestPayloadReader_acceptsLargestMaxFrame(t *testing.T) {
	r := payloadReader{maxFrame: math.MaxInt64}
	r.reset(strings.NewReader("4one\x1e2"))
	p, err := r.next()
	require.NoError(t, err)
	assert.Equal(t, "one", string(p.data))
	_, err = r.next()
	assert.NoError(t, err)
}
