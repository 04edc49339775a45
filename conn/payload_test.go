package conn

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPayload_zeroValueReturnsErrNoPayload(t *testing.T) {
	assert.ErrorIs(t, Payload{}.Decode(new(int)), ErrNoPayload)
	_, err := Payload{}.Args()
	assert.ErrorIs(t, err, ErrNoPayload)
}

// FuzzDecoder checks that a reused decoder and a new one agree, and that their
// result is that of encoding/json.
func FuzzDecoder(f *testing.F) {
	var reused decoder
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, again any
		err := reused.first(body{data: data}, 1, &first)
		fresh := new(decoder).first(body{data: data}, 1, &again)
		require.Equal(t, err == nil, fresh == nil)
		args, splitErr := splitArgs(data, 1)
		if err != nil {
			return
		}
		assert.Equal(t, first, again)
		require.NoError(t, splitErr)
		require.NotEmpty(t, args)
		var plain any
		require.NoError(t, json.Unmarshal(args[0], &plain))
		assert.Equal(t, plain, first)
	})
}

func TestExceedsDepth_ignoresBracketsInStrings(t *testing.T) {
	for data, depth := range map[string]int{
		`["e"]`:                     1,
		`["e",{"a":[1,2,{}]}]`:      4,
		`["[[[[[[",{}]`:             2,
		`["\"[[[[",[]]`:             2,
		`["\\",[[]]]`:               3,
		`["e",[],[],[],{},{"a":1}]`: 2,
	} {
		assert.False(t, exceedsDepth([]byte(data), depth), data)
		assert.True(t, exceedsDepth([]byte(data), depth-1), data)
	}
	assert.True(t, exceedsDepth([]byte(strings.Repeat("[", 1001)), 1000), "broken, but too deep to look at")
}
