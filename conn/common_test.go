package conn

import (
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A tolerantToken is a token without the decoder of the common form.
type tolerantToken struct{ events.AIToken }

func (t *tolerantToken) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	return t.AIToken.UnmarshalJSONFrom(d)
}

// UnmarshalCommon hides that of AIToken.
func (*tolerantToken) UnmarshalCommon() {}

// FuzzCommon checks that an event has the same payload and the same error with
// and without the decoder of the common form.
func FuzzCommon(f *testing.F) {
	const token = `{"chatId":"room-1","requestId":"r1","token":"a","index":1}`
	for _, seed := range []string{
		`["ai:token",` + token + `]`, `["ai:token",` + token + `,"offset"]`, `["ai:token",` + token + `,"off\u0073et"]`,
		`["ai:token",` + token + `,1]`, `["ai:token",` + token + `,"a","b"]`, `["ai:token", ` + token + `]`, `["ai:token",` + token + `]]`,
		`["ai:token",` + token, `["ai:token",` + token + `,`, `["ai:token",` + token + `,"`, `["\"",` + token + `]`, `[5,` + token + `]`,
		"[\"\n\"," + token + "]", `["ai:token"]`, `["ai:token",`, `["ai:token`, `[`, `["ai:token",{"index":"1"}]`, `["ai:token",{"token":"a"}]`,
	} {
		f.Add([]byte(seed))
	}
	var reused decoder
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || data[0] != '[' {
			return // not an event
		}
		var quick events.AIToken
		var tolerant tolerantToken
		err := reused.first(body{data: data}, 1, &quick)
		want := new(decoder).first(body{data: data}, 1, &tolerant)
		require.Equal(t, tolerant.AIToken, quick)
		require.Equal(t, field(want), field(err))
		require.Equal(t, want == nil, err == nil, "%v, %v", want, err)
	})
}

// field returns the fields of the DecodeError of err.
func field(err error) DecodeError {
	failed := DecodeError{}
	failed.Field, failed.Delivered = leftOut(err)
	return failed
}

func TestTexts_areLimited(t *testing.T) {
	var kept texts
	long := []byte(strings.Repeat("x", maxInterned+1))
	assert.Equal(t, string(long), kept.intern(long))
	assert.Zero(t, kept)
	for i := range 3 * len(kept.list) {
		id := strconv.Itoa(i)
		assert.Equal(t, id, kept.intern([]byte(id)))
		assert.Equal(t, id, kept.intern([]byte(id)))
	}
	for i, text := range kept.list {
		assert.Equal(t, strconv.Itoa(2*len(kept.list)+i), text)
	}
	assert.Empty(t, kept.intern(nil))
}
