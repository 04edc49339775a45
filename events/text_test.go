package events_test

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/events"
)

func TestPayload_decodesEscapedNames(t *testing.T) {
	eachCodec(t, func(t *testing.T, c codec) {
		var token events.AIToken
		require.NoError(t, c.unmarshal([]byte(`{"\u0074oken":"\u0061\n","ind\u0065x":1,"e\u0078tra":2}`), &token))
		assert.Equal(t, events.AIToken{Token: "a\n", Index: 1, Extra: map[string]raw{"extra": raw(`2`)}}, token)
	})
}

func TestPayload_ignoresWhitespace(t *testing.T) {
	const payload = " {\n\t\"onlineUserIds\" : [ \"u1\" ,\r\n 2 ] , \"n\" : { } \n} "
	eachCodec(t, func(t *testing.T, c codec) {
		var presence events.Presence
		require.NoError(t, c.unmarshal([]byte(payload), &presence))
		assert.Equal(t, []events.ID{events.StringID("u1"), events.IntID(2)}, presence.OnlineUserIDs)
		assert.Equal(t, map[string]raw{"n": raw(`{ }`)}, presence.Extra)
	})
}

func TestPayload_usesLastDuplicateMember(t *testing.T) {
	eachCodec(t, func(t *testing.T, c codec) {
		const payload = `{"token":"a","index":"first","x":1,"chatId":"c","index":2,"token":"b","x":2,"chatId":null}`
		var token events.AIToken
		if c.name == "go-json-experiment" { // rejects duplicates by default
			assert.Error(t, c.unmarshal([]byte(payload), &token))
			return
		}
		require.NoError(t, c.unmarshal([]byte(payload), &token))
		assert.Equal(t, events.AIToken{Token: "b", Index: 2, Extra: map[string]raw{"x": raw(`2`)}}, token)

		assert.ErrorIs(t, c.unmarshal([]byte(`{"index":1,"token":"a","token":null}`), &token), events.ErrMissing)
	})
}

func TestPayload_respectsStrictDecoderOptions(t *testing.T) {
	for _, payload := range []string{`{"token":"a","token":"b","index":1}`, "{\"token\":\"\xff\",\"index\":1}"} {
		var token events.AIToken
		assert.Error(t, json.Unmarshal([]byte(payload), &token))
	}
}

func TestPayload_replacesInvalidUnicode(t *testing.T) {
	const payload = "{\"token\":\"a\\ud83d b\\udc00\",\"index\":1,\"chatId\":\"c\xff\",\"x\xff\":\"\xfe\"}"
	eachCodec(t, func(t *testing.T, c codec) {
		var token events.AIToken
		if c.name == "go-json-experiment" { // rejects invalid UTF-8 by default
			assert.Error(t, c.unmarshal([]byte(payload), &token))
			return
		}
		require.NoError(t, c.unmarshal([]byte(payload), &token))
		assert.Equal(t, "a\ufffd b\ufffd", token.Token)
		assert.Equal(t, events.StringID("c\ufffd"), token.ChatID)
		assert.Contains(t, token.Extra, "x\ufffd")

		b, err := c.marshal(token)
		require.NoError(t, err)
		var again events.AIToken
		require.NoError(t, c.unmarshal(b, &again), "the result can be decoded")
		assert.Equal(t, token.Token, again.Token)
	})
}

func TestPayload_roundTripsAnyText(t *testing.T) {
	eachCodec(t, func(t *testing.T, c codec) {
		for _, text := range []string{"", "日本語", "é", "🙂", "\u2028", "a\"b\\c\x00\n", strings.Repeat("long \"text\" ", 1000)} {
			b, err := c.marshal(events.AIToken{Token: text})
			require.NoError(t, err)
			var token events.AIToken
			require.NoError(t, c.unmarshal(b, &token))
			assert.Equal(t, text, token.Token)
		}
	})
}
