package conn

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/internal/socketio"
	"github.com/stretchr/testify/require"
)

// withBytes replaces each string in v that starts with "b:" with a []byte. It
// removes members that make a map look like a placeholder, because the protocol
// cannot distinguish the two.
func withBytes(v any) any {
	switch v := v.(type) {
	case string:
		if rest, ok := strings.CutPrefix(v, "b:"); ok {
			return []byte(rest)
		}
	case []any:
		for i := range v {
			v[i] = withBytes(v[i])
		}
	case map[string]any:
		maps.DeleteFunc(v, func(name string, _ any) bool { return name == "_placeholder" })
		for name := range v {
			v[name] = withBytes(v[name])
		}
	}
	return v
}

// FuzzBinary sends values with bytes in them through the encoder and back.
func FuzzBinary(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		var v any
		if json.Unmarshal(data, &v) != nil || v == nil {
			return
		}
		v = withBytes(v)
		var e socketio.Encoder
		encoded, err := e.AppendArgs(nil, []any{v})
		require.NoError(t, err)
		c := body{encoded, e.Attachments}
		var back any
		require.NoError(t, new(decoder).first(c, 0, &back))
		require.Equal(t, v, back)

		if b, ok := v.([]byte); ok {
			var typed []byte
			require.NoError(t, new(decoder).first(c, 0, &typed))
			require.Equal(t, b, typed)
		}
	})
}

// FuzzPlaceholders checks that invalid placeholders cause no panic.
func FuzzPlaceholders(f *testing.F) {
	attachments := [][]byte{{1}, {2}}
	f.Fuzz(func(t *testing.T, data []byte) {
		var untyped any
		_ = new(decoder).first(body{data, attachments}, 0, &untyped)
		var typed struct {
			A []byte
			B [][]byte
			C map[string]any
		}
		_ = new(decoder).first(body{data, attachments}, 0, &typed)
	})
}
