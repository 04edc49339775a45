package engineio

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A chunkConn returns its data in reads of random sizes. The last data comes
// with the error, as from a TLS connection that the peer has closed.
type chunkConn struct {
	net.Conn
	data []byte
}

func (c *chunkConn) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.data[:min(len(c.data), 1+rand.IntN(2*readAheadSize))])
	if c.data = c.data[n:]; len(c.data) == 0 {
		return n, io.EOF
	}
	return n, nil
}

func TestReadAhead_returnsAllData(t *testing.T) {
	data := make([]byte, 50*readAheadSize)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	r := &readAhead{Conn: &chunkConn{data: data}}
	var got []byte
	for {
		p := make([]byte, 1+rand.IntN(2*readBuffer))
		n, err := r.Read(p)
		got = append(got, p[:n]...)
		if err != nil {
			assert.Equal(t, io.EOF, err)
			break
		}
		require.Positive(t, n)
	}
	assert.True(t, bytes.Equal(data, got))
	assert.Nil(t, r.pooled, "an idle connection has no buffer")
}
