package socketio

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEncodeArgs_takesBytesOutAtAnyDepth(t *testing.T) {
	type part struct {
		Data []byte `json:"data"`
	}
	data, attachments, err := EncodeArgs("x", []byte{1}, map[string]any{"list": []any{part{[]byte{2}}, []byte(nil)}},
		json.RawMessage(`{"b": 1}`), json.Number("12345678901234567890"), "<&>\u2028")
	require.NoError(t, err)
	assert.Equal(t, `["x",{"_placeholder":true,"num":0},{"list":[{"data":{"_placeholder":true,"num":1}},null]},{"b":1},12345678901234567890,"<&>`+"\u2028"+`"]`, string(data))
	assert.Equal(t, [][]byte{{1}, {2}}, attachments)

	data, attachments, err = EncodeArgs()
	require.NoError(t, err)
	assert.Equal(t, "[]", string(data))
	assert.Empty(t, attachments)

	_, _, err = EncodeArgs(math.Inf(1))
	assert.Error(t, err)
	_, _, err = EncodeArgs(make(chan int))
	assert.Error(t, err)
}

func TestDecodeArg_putsBytesIn(t *testing.T) {
	attachments := [][]byte{{1}, {2}}
	var typed struct {
		A []byte
		B any
		C []byte
	}
	arg := []byte(`{"a":{"_placeholder":true,"num":1},"b":[{"_placeholder":true,"num":0},{"num":0}],"c":"AQI="}`)
	require.NoError(t, DecodeArg(arg, attachments, &typed))
	assert.Equal(t, []byte{2}, typed.A)
	assert.Equal(t, []any{[]byte{1}, map[string]any{"num": 0.0}}, typed.B)
	assert.Equal(t, []byte{1, 2}, typed.C)

	assert.Error(t, DecodeArg([]byte(`{"a":{"_placeholder":true,"num":2}}`), attachments, &typed))
	assert.Error(t, DecodeArg([]byte(`{"a":{}}`), attachments, &typed))
}

func TestAttachment_tellsBytesFromStrings(t *testing.T) {
	attachments := [][]byte{{1}}
	found, ok := Attachment([]byte(`{"_placeholder":true,"num":0}`), attachments)
	assert.True(t, ok)
	assert.Equal(t, []byte{1}, found)
	for _, arg := range []string{`"AQ=="`, `{}`, `{"_placeholder":false,"num":0}`, `{"_placeholder":true,"num":1}`, ``} {
		_, ok = Attachment([]byte(arg), attachments)
		assert.False(t, ok, arg)
	}
}

func FuzzSplitArgs(f *testing.F) {
	for _, seed := range []string{`["x",{"_placeholder":true,"num":0}]`, `[[{"_placeholder":true,"num":1e9}]]`, `["\ud83d"]`, `null`, `[`} {
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, binary bool) {
		var attachments [][]byte
		if binary {
			attachments = [][]byte{{1}}
		}
		args, err := SplitArgs(data, attachments)
		if err != nil {
			assert.ErrorIs(t, err, ErrMalformed)
			return
		}
		for _, arg := range args {
			var v any
			assert.NoError(t, DecodeArg(arg, attachments, &v))
		}
	})
}

func TestInlineBase64_keepsEverythingElse(t *testing.T) {
	got, err := InlineBase64([]byte(`{"a": {"_placeholder":true,"num":0}, "n": [12345678901234567890, {"b": null}], "a": "x"}`), [][]byte{{1, 2}})
	require.NoError(t, err)
	assert.Equal(t, `{"a":"AQI=","n":[12345678901234567890,{"b":null}],"a":"x"}`, string(got))
	got, err = InlineBase64([]byte(`{"_placeholder":true,"num":0}`), [][]byte{{1, 2}})
	require.NoError(t, err)
	assert.Equal(t, `"AQI="`, string(got))
	_, err = InlineBase64([]byte(`[{"_placeholder":true,"num":5}]`), [][]byte{{1, 2}})
	assert.ErrorIs(t, err, ErrMalformed)
}
