package events_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/events"
)

func TestExtra_keepsUnknownMembers(t *testing.T) {
	const payload = `{"token":"a","index":1,"Token":"not the token","big":123456789012345678901234567890,` +
		`"deep":{"a":[1,{"b":"}]\""}],"c":null},"nothing":null,"q\"uote":1.10}`
	eachCodec(t, func(t *testing.T, c codec) {
		var token events.AIToken
		require.NoError(t, c.unmarshal([]byte(payload), &token))
		assert.Equal(t, map[string]raw{
			"Token":   raw(`"not the token"`),
			"big":     raw(`123456789012345678901234567890`),
			"deep":    raw(`{"a":[1,{"b":"}]\""}],"c":null}`),
			"nothing": raw(`null`),
			`q"uote`:  raw(`1.10`),
		}, token.Extra)

		b, err := c.marshal(token)
		require.NoError(t, err)
		assert.Contains(t, string(b), `"big":123456789012345678901234567890`)
		assert.Contains(t, string(b), `"q\"uote":1.10`)
	})
}

func TestExtra_isNilWithoutUnknownMembers(t *testing.T) {
	eachCodec(t, func(t *testing.T, c codec) {
		var token events.AIToken
		require.NoError(t, c.unmarshal([]byte(`{"token":"a","index":1}`), &token))
		assert.Nil(t, token.Extra)
	})
}

func TestExtra_doesNotOverrideFields(t *testing.T) {
	token := events.AIToken{Token: "field", Extra: map[string]raw{
		"token": raw(`"extra"`), "chatId": raw(`"extra"`), "kept": raw(`1`), "empty": nil,
	}}
	eachCodec(t, func(t *testing.T, c codec) {
		b, err := c.marshal(token)
		require.NoError(t, err)
		assert.Equal(t, `{"token":"field","index":0,"empty":null,"kept":1}`, strings.TrimSpace(string(b)))
	})
}

func TestExtra_rejectsInvalidJSON(t *testing.T) {
	eachCodec(t, func(t *testing.T, c codec) {
		_, err := c.marshal(events.AIToken{Extra: map[string]raw{"bad": raw(`{"a":`)}})
		assert.Error(t, err)
	})
}
