package conn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type file struct {
	Name  string
	Data  []byte
	Parts [][]byte
	Any   any
}

// fileFrames are an event "file" as the reference server writes it.
func fileFrames(p *wiretest.Peer, header string) {
	p.Send(header + `["file",{"name":"a","data":{"_placeholder":true,"num":1},` +
		`"parts":[{"_placeholder":true,"num":0},{"_placeholder":true,"num":2}],` +
		`"any":{"deep":[{"_placeholder":true,"num":3},{"_placeholder":false,"num":0},{"num":1}],"text":"x"}},` +
		`{"_placeholder":true,"num":3}]`)
	for _, data := range []string{"part 0", "data", "", "deep"} {
		p.SendBinary([]byte(data))
	}
}

func TestOn_replacesPlaceholdersWithAttachments(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Receive()
		fileFrames(p, `454-`)
		p.Send(`42["file",{"name":"plain","data":"YWJj"}]`)
		p.UntilGone()
	})
	c, _, _ := start(t, url, conn.Config{})
	files := conn.On[file](c, "file").Chan(t.Context())
	untyped := conn.On[any](c, "file").Chan(t.Context())
	raw := c.Raw.Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "go"))

	deep := map[string]any{
		"deep": []any{[]byte("deep"), map[string]any{"_placeholder": false, "num": 0.0}, map[string]any{"num": 1.0}},
		"text": "x",
	}
	assert.Equal(t, file{"a", []byte("data"), [][]byte{[]byte("part 0"), {}}, deep}, wiretest.ReceiveFrom(t, files))
	assert.Equal(t, map[string]any{
		"name": "a", "data": []byte("data"), "parts": []any{[]byte("part 0"), []byte{}}, "any": deep,
	}, wiretest.ReceiveFrom(t, untyped))

	event := wiretest.ReceiveFrom(t, raw)
	assert.Equal(t, [][]byte{[]byte("part 0"), []byte("data"), {}, []byte("deep")}, event.Attachments)
	assert.Equal(t, `{"_placeholder":true,"num":3}`, string(event.Args[1]))
	var first file
	require.NoError(t, event.Decode(0, &first))
	assert.Equal(t, "data", string(first.Data))
	var second []byte
	require.NoError(t, event.Decode(1, &second))
	assert.Equal(t, "deep", string(second))
	assert.ErrorIs(t, event.Decode(2, &second), conn.ErrNoPayload)

	assert.Equal(t, "abc", string(wiretest.ReceiveFrom(t, files).Data), "base64 stays what it was")
}

func TestEmit_sendsByteSlicesAsAttachments(t *testing.T) {
	type message struct {
		Blob  []byte          `json:"blob"`
		None  []byte          `json:"none"`
		Raw   json.RawMessage `json:"raw"`
		Empty []byte          `json:"empty"`
	}
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		assert.Equal(t, `453-["up",{"blob":{"_placeholder":true,"num":0},"none":null,"raw":{"kept":"as is"},`+
			`"empty":{"_placeholder":true,"num":1}},[{"_placeholder":true,"num":2},"text"]]`, p.Receive())
		for _, want := range []string{"one", "", "two"} {
			assert.Equal(t, want, string(p.ReceiveBinary()))
		}
		assert.Equal(t, `451-0["call",{"_placeholder":true,"num":0}]`, p.Receive())
		assert.Equal(t, "question", string(p.ReceiveBinary()))
		p.Send(`461-0[{"_placeholder":true,"num":0}]`)
		p.SendBinary([]byte("answer"))
		assert.Equal(t, `421["all"]`, p.Receive())
		p.Send(`462-1[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]`)
		p.SendBinary([]byte("a"))
		p.SendBinary([]byte("b"))
		p.UntilGone()
	})
	c, _, _ := start(t, url, conn.Config{})
	require.NoError(t, c.Emit(t.Context(), "up",
		message{Blob: []byte("one"), Raw: json.RawMessage(`{"kept":"as is"}`), Empty: []byte{}}, []any{[]byte("two"), "text"}))
	reply, err := conn.Call[[]byte](t.Context(), c, "call", []byte("question"))
	require.NoError(t, err)
	assert.Equal(t, "answer", string(reply))
	all, err := conn.Call[conn.Event](t.Context(), c, "all")
	require.NoError(t, err)
	var first []byte
	require.NoError(t, all.Decode(0, &first))
	assert.Equal(t, "b", string(first))
	assert.Equal(t, [][]byte{[]byte("a"), []byte("b")}, all.Attachments)
}

func TestHandle_receivesAndReturnsAttachments(t *testing.T) {
	acked := make(chan []byte, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Receive()
		p.Send(`451-7["double",{"_placeholder":true,"num":0}]`)
		p.SendBinary([]byte("ab"))
		assert.Equal(t, `461-7[{"twice":{"_placeholder":true,"num":0}}]`, p.Receive())
		acked <- p.ReceiveBinary()
		p.UntilGone()
	})
	c, _, _ := start(t, url, conn.Config{})
	defer conn.Handle(c, "double", func(_ context.Context, data []byte) (map[string][]byte, error) {
		return map[string][]byte{"twice": append(data, data...)}, nil
	})()
	require.NoError(t, c.Emit(t.Context(), "go"))
	assert.Equal(t, "abab", string(wiretest.ReceiveFrom(t, acked)))
}

func TestDecodeErrors_reportsPlaceholderWithoutAttachment(t *testing.T) {
	for _, num := range []string{`1`, `-1`, `0.5`, `1e300`} {
		t.Run(num, func(t *testing.T) {
			c, _, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) {
				p.Welcome()
				p.Receive()
				p.Send(fmt.Sprintf(`451-["x",{"_placeholder":true,"num":%s}]`, num))
				p.SendBinary([]byte("x"))
				p.Send(`42["x",null]`)
				p.UntilGone()
			}), conn.Config{})
			bytes := conn.On[[]byte](c, "x").Chan(t.Context())
			untyped := conn.On[any](c, "x").Chan(t.Context())
			failures := c.DecodeErrors.Chan(t.Context())
			require.NoError(t, c.Emit(t.Context(), "go"))
			assert.ErrorContains(t, wiretest.ReceiveFrom(t, failures), "placeholder for a missing attachment")
			assert.ErrorContains(t, wiretest.ReceiveFrom(t, failures), "placeholder for a missing attachment")
			assert.Nil(t, wiretest.ReceiveFrom(t, bytes))
			assert.Nil(t, wiretest.ReceiveFrom(t, untyped))
		})
	}
}
