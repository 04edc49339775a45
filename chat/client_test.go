package chat

import (
	"encoding/json"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAContradictoryConfigIsSaidPlainly(t *testing.T) {
	room := events.StringID("room-1")
	for want, cfg := range map[string]Config{
		"no ChatID to join":                 {},
		"both NoJoin and a JoinPayload":     {NoJoin: true, JoinPayload: 1},
		"Config.Conn.Join or Enter is set":  {ChatID: room, Conn: conn.Config{Join: conn.Join{Event: "x", Payload: []int{1}}}},
		`no event with the key "NONSENSE"`:  {ChatID: room, Names: map[events.Key]string{"NONSENSE": "x"}},
		"the name of AI_TOKEN is empty":     {ChatID: room, Names: map[events.Key]string{events.KeyAIToken: ""}},
		"NameFunc gives no name":            {ChatID: room, NameFunc: func(events.Key, string) string { return "" }},
		`"connect" of JOIN is reserved`:     {ChatID: room, Names: map[events.Key]string{events.KeyJoin: "connect"}},
		`"connect" of AI_TOKEN is reserved`: {ChatID: room, Names: map[events.Key]string{events.KeyAIToken: "connect"}},
		`"disconnect" is reserved`:          {ChatID: room, ServerErrorEvent: "disconnect"},
		`Config.Meta["f"]`:                  {ChatID: room, Meta: map[string]any{"f": func() {}}},
		"Config.JoinPayload":                {JoinPayload: func() {}},
		"unknown transport":                 {ChatID: room, Conn: conn.Config{Transports: []string{"x"}}},
	} {
		_, err := New("http://localhost", cfg)
		assert.ErrorContains(t, err, want)
	}
	_, err := New("nonsense", Config{ChatID: room})
	assert.ErrorContains(t, err, "scheme")
}

func TestWhatIsSentIsMergedAndTheBaseStaysAsItIs(t *testing.T) {
	base, err := newBase(events.IntID(7), map[string]any{"a": 1, "b": "meta"})
	require.NoError(t, err)
	for range 2 {
		for _, tc := range []struct {
			own  any
			want string
		}{
			{nil, `{"a":1,"b":"meta","chatId":7}`},
			{map[string]any{"b": "a longer value of its own", "c": nil}, `{"a":1,"b":"a longer value of its own","c":null,"chatId":7}`},
			{json.RawMessage(`{"chatId": 9007199254740993}`), `{"a":1,"b":"meta","chatId":9007199254740993}`},
			{[]int{1}, `[1]`},
			{"text", `"text"`},
		} {
			got, err := jsonv2.Marshal(base.with(tc.own))
			require.NoError(t, err)
			assert.Equal(t, tc.want, string(got))
		}
	}
	_, err = jsonv2.Marshal(base.with(make(chan int)))
	assert.Error(t, err)
}

func TestAServerErrorTakesAnyPayload(t *testing.T) {
	for payload, want := range map[string]string{
		`"plain"`:                       "chat: server error: plain",
		`{"code":1,"message":"worded"}`: "chat: server error: worded",
		`{"code":1}`:                    `chat: server error: {"code":1}`,
		`17`:                            "chat: server error: 17",
	} {
		var e ServerError
		require.NoError(t, json.Unmarshal([]byte(payload), &e))
		assert.EqualError(t, e, want)
		assert.Equal(t, payload, string(e.Raw))
	}
}
