package socketio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLastMembers_keepsLastOfSameName(t *testing.T) {
	for _, tc := range []struct{ name, json, want string }{
		{"nothing to drop", `[{"a":1,"b":{"a":2}},{"a":3}]`, `[{"a":1,"b":{"a":2}},{"a":3}]`},
		{"two", `{"a":1,"b":2,"a":3}`, `{"b":2,"a":3}`},
		{"three", `{"a":1,"a":2,"a":3,"b":4}`, `{"a":3,"b":4}`},
		{"nested values", `{"a":{"x":1,"x":2},"a":{"y":1}}`, `{"a":{"y":1}}`},
		{"nested duplicates", `{"a":{"x":1,"z":0,"x":2},"b":[{"y":1,"y":2}]}`, `{"a":{"z":0,"x":2},"b":[{"y":2}]}`},
		{"white space", "{ \"a\" : 1 ,\n\"a\" : 2 }", "{ \"a\" : 2 }"},
		{"escaped name", `{"\u0061":1,"a":2}`, `{"a":2}`},
		{"strings with delimiters", `{"a":"},{\"","b\\":"[","b\\":"\\\"]","a":"\\"}`, `{"b\\":"\\\"]","a":"\\"}`},
		{"names in values", `{"a":"b","b":"a"}`, `{"a":"b","b":"a"}`},
		{"arrays", `["a","a",["a","a"]]`, `["a","a",["a","a"]]`},
		{"empty", `[{},[],""]`, `[{},[],""]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			data := []byte(tc.json)
			assert.Equal(t, tc.want, string(LastMembers(data)))
			assert.Equal(t, tc.json, string(data), "the argument does not change")
		})
	}
}

func TestLastMembers_findsNameAmongMany(t *testing.T) {
	var object strings.Builder
	for i := range 3 * 30_000 { // each name three times
		fmt.Fprintf(&object, `,"n%d":%d`, i%30_000, i)
	}
	var members map[string]int
	require.NoError(t, json.Unmarshal(LastMembers([]byte("{"+object.String()[1:]+"}")), &members))
	assert.Len(t, members, 30_000)
	assert.Equal(t, 60_007, members["n7"])
}

func TestLastMembers_doesNotAllocateForOrdinaryEvent(t *testing.T) {
	data := []byte(`["ai:token",{"chatId":"room-1","token":"h\u00e9llo ","index":12,"requestId":"req-1234"}]`)
	assert.Zero(t, testing.AllocsPerRun(100, func() { LastMembers(data) }))
}

func FuzzLastMembers(f *testing.F) {
	for _, seed := range []string{
		``, `{`, `"`, `}`, `{"a`, `{"a":1,"a":{"b":2,"b":3}}`, `["\"",{"\\":1,"\\":2}]`, `{"\ud800":1,"\ud801":2}`, "{\"\xff\":1,\"\xfe\":2}", `{"a":1,,"a"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := LastMembers(bytes.Clone(data))
		options := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
		if !jsontext.Value(data).IsValid(options...) {
			return // any result: the decoder finds the error
		}
		var value, want any
		require.NoError(t, jsonv2.Unmarshal(got, &value, jsontext.AllowInvalidUTF8(true)), "no duplicates are left")
		require.NoError(t, json.Unmarshal(data, &want)) // an any holds the last value, unmerged
		require.Equal(t, want, value)
	})
}

func BenchmarkLastMembers(b *testing.B) {
	data := []byte(`["ai:token",{"chatId":"room-1","token":"hello ","index":12,"requestId":"req-1234"}]`)
	b.ReportAllocs()
	for b.Loop() {
		LastMembers(data)
	}
}
