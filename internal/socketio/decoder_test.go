package socketio

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDecoder_collectsAttachments(t *testing.T) {
	d := Decoder{MaxAttachments: 2, MaxBytes: 10}
	header := []byte(`52-/x,["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]`)
	_, whole, err := d.Add(header, false)
	require.NoError(t, err)
	require.False(t, whole)
	buf := []byte("one")
	_, whole, err = d.Add(buf, true)
	require.NoError(t, err)
	require.False(t, whole)
	copy(buf, "xxx") // the decoder keeps copies
	clear(header)
	p, whole, err := d.Add(nil, true)
	require.NoError(t, err)
	require.True(t, whole)
	assert.Equal(t, [][]byte{[]byte("one"), {}}, p.Binary)
	assert.Equal(t, "/x", string(p.Namespace))
	assert.True(t, strings.HasPrefix(string(p.Data), `["a",`))

	p, whole, err = d.Add([]byte(`2["next"]`), false)
	require.NoError(t, err)
	assert.True(t, whole)
	assert.Nil(t, p.Binary)

	_, whole, err = d.Add([]byte(`50-["none"]`), false)
	require.NoError(t, err)
	assert.True(t, whole, "a packet with 0 attachments is complete")
}

func TestDecoder_rejectsInvalidAttachments(t *testing.T) {
	for name, messages := range map[string][]string{
		"unannounced":         {"b:x"},
		"more than announced": {`51-["a"]`, "b:x", "b:x"},
		"a packet in between": {`52-["a"]`, "b:x", `2["a"]`},
		"more than the limit": {`53-["a"]`},
		"too large":           {`51-["a"]`, "b:12345678901"},
		"too large together":  {`52-["a"]`, "b:123456", "b:12345"},
		"a huge count":        {`52147483647-["a"]`},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decoder{MaxAttachments: 2, MaxBytes: 10}
			var err error
			for i, m := range messages {
				data, binary := strings.CutPrefix(m, "b:")
				_, _, err = d.Add([]byte(data), binary)
				if i < len(messages)-1 {
					require.NoError(t, err)
				}
			}
			assert.ErrorIs(t, err, ErrMalformed)
		})
	}
}

// FuzzDecoder adds the lines of stream as messages; a binary one starts with
// "b". A packet must keep the limits, and be the same after another round trip.
func FuzzDecoder(f *testing.F) {
	f.Fuzz(func(t *testing.T, stream []byte) {
		d := Decoder{MaxAttachments: 3, MaxBytes: 8}
		for m := range strings.SplitSeq(string(stream), "\n") {
			data, binary := strings.CutPrefix(m, "b")
			p, whole, err := d.Add([]byte(data), binary)
			if err != nil {
				return
			}
			if !whole {
				continue
			}
			require.Len(t, p.Binary, p.Attachments)
			require.LessOrEqual(t, p.Attachments, 3)
			total := 0
			for _, b := range p.Binary {
				total += len(b)
			}
			require.LessOrEqual(t, total, 8)

			again := Decoder{MaxAttachments: 3, MaxBytes: 8}
			q, whole, err := again.Add(p.Append(nil), false)
			require.NoError(t, err)
			for _, b := range p.Binary {
				q, whole, err = again.Add(b, true)
				require.NoError(t, err)
			}
			require.True(t, whole)
			require.Equal(t, p, q)
		}
	})
}
