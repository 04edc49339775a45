package events_test

import (
	stdjson "encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/events"
)

func TestID_distinguishesStringsFromIntegers(t *testing.T) {
	eachCodec(t, func(t *testing.T, c codec) {
		var ids []events.ID
		require.NoError(t, c.unmarshal([]byte(`[5,"5",-7,"",null]`), &ids))
		assert.Equal(t, []events.ID{events.IntID(5), events.StringID("5"), events.IntID(-7), events.StringID(""), {}}, ids)
		assert.True(t, ids[0] == events.IntID(5))
		assert.True(t, ids[0] != ids[1])

		b, err := c.marshal(ids)
		require.NoError(t, err)
		assert.JSONEq(t, `[5,"5",-7,"",null]`, string(b))
	})
}

func TestID_isZeroOnlyForZeroValue(t *testing.T) {
	assert.True(t, events.ID{}.IsZero())
	assert.False(t, events.StringID("").IsZero())
	assert.False(t, events.IntID(0).IsZero())
	assert.NotEqual(t, events.ID{}, events.StringID(""))
}

func TestID_printsTextOrDigits(t *testing.T) {
	assert.Equal(t, "room-1", events.StringID("room-1").String())
	assert.Equal(t, "-42", events.IntID(-42).String())
	assert.Equal(t, "", events.ID{}.String())
}

func TestID_keepsAllDigitsOfInteger(t *testing.T) {
	eachCodec(t, func(t *testing.T, c codec) {
		for _, digits := range []string{"9007199254740993", "18446744073709551617", "-123456789012345678901234567890"} {
			var id events.ID
			require.NoError(t, c.unmarshal([]byte(digits), &id))
			assert.Equal(t, digits, id.String())
			b, err := c.marshal(map[string]any{"id": id})
			require.NoError(t, err)
			assert.Contains(t, string(b), `"id":`+digits)
		}
	})
}

func TestID_decodesMinusZeroAsZero(t *testing.T) {
	var id events.ID
	require.NoError(t, stdjson.Unmarshal([]byte(`-0`), &id))
	assert.Equal(t, events.IntID(0), id)
}

func TestID_becomesZeroValueOnNull(t *testing.T) {
	eachCodec(t, func(t *testing.T, c codec) {
		id := events.IntID(1)
		require.NoError(t, c.unmarshal([]byte(`null`), &id))
		assert.True(t, id.IsZero())
	})
}

func TestID_rejectsOtherThanStringOrInteger(t *testing.T) {
	for _, bad := range []string{`1.5`, `1.0`, `1e3`, `1E3`, `-0.0`, `true`, `false`, `{}`, `[]`} {
		t.Run(bad, func(t *testing.T) {
			eachCodec(t, func(t *testing.T, c codec) {
				var id events.ID
				err := c.unmarshal([]byte(bad), &id)
				failure, ok := errors.AsType[*events.FieldError](err)
				require.True(t, ok, err)
				assert.Equal(t, "ID", failure.Type)
				assert.True(t, id.IsZero())
			})
		})
	}
}

func TestID_worksAsMapKey(t *testing.T) {
	seen := map[events.ID]int{events.IntID(5): 1, events.StringID("5"): 2, hugeID: 3, {}: 4}
	var id events.ID
	require.NoError(t, stdjson.Unmarshal([]byte(hugeID.String()), &id))
	assert.Equal(t, 3, seen[id])
	assert.Len(t, seen, 4)
}
