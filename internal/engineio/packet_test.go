package engineio

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func FuzzParsePacket(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := parsePacket(data); err == nil {
			require.Equal(t, data, p.appendText(nil))
		}
	})
}

func TestParseHandshake_readsAllFields(t *testing.T) {
	h, err := parseHandshake([]byte(`{"sid":"s1","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000.5,"maxPayload":1000000}`))
	require.NoError(t, err)
	assert.Equal(t, handshake{sid: "s1", upgrades: []string{"websocket"}, maxPayload: 1000000, pingInterval: 25 * time.Second, pingTimeout: 20*time.Second + 500*time.Microsecond}, h)
}

func TestParseHandshake_limitsIntervals(t *testing.T) {
	for _, ms := range []string{"100000000", "1e300", "1e999"} {
		h, err := parseHandshake([]byte(`{"sid":"s1","pingInterval":25000,"pingTimeout":` + ms + `}`))
		require.NoError(t, err, ms)
		assert.Equal(t, maxInterval, h.pingTimeout, ms)
		assert.Equal(t, 25*time.Second, h.pingInterval, ms)
	}
}

func TestParseHandshake_usesLastDuplicateMember(t *testing.T) {
	h, err := parseHandshake([]byte(`{"sid":1,"maxPayload":"x","upgrades":["a"],"pingInterval":{},"sid":"s1","maxPayload":5,"upgrades":["websocket"],"pingInterval":1,"pingTimeout":2,"pingInterval":3}`))
	require.NoError(t, err)
	assert.Equal(t, handshake{sid: "s1", upgrades: []string{"websocket"}, maxPayload: 5, pingInterval: 3 * time.Millisecond, pingTimeout: 2 * time.Millisecond}, h)
}

func FuzzParseHandshake(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := parseHandshake(data)
		if err != nil {
			return
		}
		assert.NotEmpty(t, h.sid)
		for _, d := range []time.Duration{h.pingInterval, h.pingTimeout} {
			assert.GreaterOrEqual(t, d, time.Duration(0))
			assert.LessOrEqual(t, d, maxInterval)
		}
	})
}
