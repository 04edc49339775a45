package conn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sendBinary writes one binary frame.
func (p *peer) sendBinary(data []byte) {
	_ = p.ws.WriteMessage(websocket.BinaryMessage, data)
}

// receiveBinary reads one binary frame; nil when something else comes.
func (p *peer) receiveBinary() []byte {
	kind, data, err := p.ws.ReadMessage()
	if err != nil || kind != websocket.BinaryMessage {
		return nil
	}
	return data
}

type file struct {
	Name  string
	Data  []byte
	Parts [][]byte
	Any   any
}

// fileFrames are an event "file" as the reference server writes it.
func fileFrames(p *peer, header string) {
	p.send(header + `["file",{"name":"a","data":{"_placeholder":true,"num":1},` +
		`"parts":[{"_placeholder":true,"num":0},{"_placeholder":true,"num":2}],` +
		`"any":{"deep":[{"_placeholder":true,"num":3},{"_placeholder":false,"num":0},{"num":1}],"text":"x"}},` +
		`{"_placeholder":true,"num":3}]`)
	for _, data := range []string{"part 0", "data", "", "deep"} {
		p.sendBinary([]byte(data))
	}
}

func TestAttachmentsAreWhereTheyBelong(t *testing.T) {
	url := serveRaw(t, func(p *peer) {
		p.welcome()
		p.receive()
		fileFrames(p, `454-`)
		p.send(`42["file",{"name":"plain","data":"YWJj"}]`)
		p.untilGone()
	})
	c, _, _ := start(t, url, conn.Config{})
	files := conn.Topic[file](c, "file").Chan(t.Context())
	untyped := conn.Topic[any](c, "file").Chan(t.Context())
	raw := c.Raw.Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "go"))

	deep := map[string]any{
		"deep": []any{[]byte("deep"), map[string]any{"_placeholder": false, "num": 0.0}, map[string]any{"num": 1.0}},
		"text": "x",
	}
	assert.Equal(t, file{"a", []byte("data"), [][]byte{[]byte("part 0"), {}}, deep}, receiveFrom(t, files))
	assert.Equal(t, map[string]any{
		"name": "a", "data": []byte("data"), "parts": []any{[]byte("part 0"), []byte{}}, "any": deep,
	}, receiveFrom(t, untyped))

	event := receiveFrom(t, raw)
	assert.Equal(t, [][]byte{[]byte("part 0"), []byte("data"), {}, []byte("deep")}, event.Attachments)
	assert.Equal(t, `{"_placeholder":true,"num":3}`, string(event.Args[1]))
	var first file
	require.NoError(t, event.Decode(0, &first))
	assert.Equal(t, "data", string(first.Data))
	var second []byte
	require.NoError(t, event.Decode(1, &second))
	assert.Equal(t, "deep", string(second))
	assert.ErrorIs(t, event.Decode(2, &second), conn.ErrNoPayload)

	assert.Equal(t, "abc", string(receiveFrom(t, files).Data), "base64 stays what it was")
}

func TestBytesGoOutAsAttachments(t *testing.T) {
	type message struct {
		Blob  []byte          `json:"blob"`
		None  []byte          `json:"none"`
		Raw   json.RawMessage `json:"raw"`
		Empty []byte          `json:"empty"`
	}
	url := serveRaw(t, func(p *peer) {
		p.welcome()
		assert.Equal(t, `453-["up",{"blob":{"_placeholder":true,"num":0},"none":null,"raw":{"kept":"as is"},`+
			`"empty":{"_placeholder":true,"num":1}},[{"_placeholder":true,"num":2},"text"]]`, p.receive())
		for _, want := range []string{"one", "", "two"} {
			assert.Equal(t, want, string(p.receiveBinary()))
		}
		assert.Equal(t, `451-0["call",{"_placeholder":true,"num":0}]`, p.receive())
		assert.Equal(t, "question", string(p.receiveBinary()))
		p.send(`461-0[{"_placeholder":true,"num":0}]`)
		p.sendBinary([]byte("answer"))
		assert.Equal(t, `421["all"]`, p.receive())
		p.send(`462-1[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]`)
		p.sendBinary([]byte("a"))
		p.sendBinary([]byte("b"))
		p.untilGone()
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

func TestAHandlerGetsAndGivesBytes(t *testing.T) {
	acked := make(chan []byte, 1)
	url := serveRaw(t, func(p *peer) {
		p.welcome()
		p.receive()
		p.send(`451-7["double",{"_placeholder":true,"num":0}]`)
		p.sendBinary([]byte("ab"))
		assert.Equal(t, `461-7[{"twice":{"_placeholder":true,"num":0}}]`, p.receive())
		acked <- p.receiveBinary()
		p.untilGone()
	})
	c, _, _ := start(t, url, conn.Config{})
	defer conn.Handle(c, "double", func(_ context.Context, data []byte) (map[string][]byte, error) {
		return map[string][]byte{"twice": append(data, data...)}, nil
	})()
	require.NoError(t, c.Emit(t.Context(), "go"))
	assert.Equal(t, "abab", string(receiveFrom(t, acked)))
}

func TestAPlaceholderWithoutAnAttachmentIsADecodeError(t *testing.T) {
	for _, num := range []string{`1`, `-1`, `0.5`, `1e300`} {
		c, _, _ := start(t, serveRaw(t, func(p *peer) {
			p.welcome()
			p.receive()
			p.send(fmt.Sprintf(`451-["x",{"_placeholder":true,"num":%s}]`, num))
			p.sendBinary([]byte("x"))
			p.send(`42["x",null]`)
			p.untilGone()
		}), conn.Config{})
		bytes := conn.Topic[[]byte](c, "x").Chan(t.Context())
		untyped := conn.Topic[any](c, "x").Chan(t.Context())
		failures := c.DecodeErrors.Chan(t.Context())
		require.NoError(t, c.Emit(t.Context(), "go"))
		assert.ErrorContains(t, receiveFrom(t, failures), "placeholder for an attachment that is not there")
		assert.ErrorContains(t, receiveFrom(t, failures), "placeholder for an attachment that is not there")
		assert.Nil(t, receiveFrom(t, bytes), num)
		assert.Nil(t, receiveFrom(t, untyped), num)
	}
}
