package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCall_returnsAcknowledgementArguments(t *testing.T) {
	conform(t, "acknowledgement", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		assert.Equal(r, "x", call[string](r, c, "echo", "x"))
		args := call[conn.Args](r, c, "echo", 1, "two", []int{3})
		assert.Len(r, args, 3)
		assert.JSONEq(r, `[3]`, string(args[2]))
		assert.Nil(r, call[any](r, c, "echo"), "an acknowledgement without arguments")
	})
}

func TestCall_decodesDate(t *testing.T) {
	conform(t, "acknowledgement with a date", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		assert.Equal(r, time.Date(2026, 11, 22, 10, 20, 30, 400e6, time.UTC), call[time.Time](r, c, "date"))
	})
}

func TestCall_returnsBinary(t *testing.T) {
	conform(t, "acknowledgement with binary", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		assert.Equal(r, []byte{1, 2}, call[[]byte](r, c, "echo", []byte{1, 2}))
		assert.Equal(r, map[string][]byte{"b": {3}}, call[map[string][]byte](r, c, "echo", map[string]any{"b": []byte{3}}))
	})
}

func TestCall_dropsLateAcknowledgement(t *testing.T) {
	conform(t, "a late acknowledgement is dropped", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		require.NoError(r, c.Ready(r.ctx))
		ctx, cancel := context.WithTimeout(r.ctx, 100*time.Millisecond)
		defer cancel()
		_, err := conn.Call[string](ctx, c, "slow", "late")
		assert.ErrorIs(r, err, context.DeadlineExceeded)
		assert.Equal(r, "in time", call[string](r, c, "slow", "in time"), "while the late one arrives")
	})
}

func TestCall_returnsErrSessionLostOnDisconnect(t *testing.T) {
	conform(t, "acknowledgement at a disconnect", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		failed := make(chan error, 1)
		go func() { _, err := conn.Call[string](r.ctx, c, "never"); failed <- err }()
		require.NoError(r, c.Ready(r.ctx))
		require.Equal(r, 1, call[int](r, c, "echo", 1))
		r.provoke(c, "close")
		err := receive(r, failed)
		assert.ErrorIs(r, err, conn.ErrSessionLost)
		var unsure *conn.SendError
		require.True(r, errors.As(err, &unsure))
		assert.True(r, unsure.MaybeSent)
	})
}

func TestHandle_repliesToServer(t *testing.T) {
	conform(t, "events of the server are acknowledged", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		type answer struct{ Reply []any }
		defer conn.Handle(c, "double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })()
		defer conn.Handle(c, "fail", func(context.Context, int) (int, error) { return 0, errors.New("no") })()
		defer conn.Handle(c, "choose", func(context.Context, int) (int, error) {
			return 0, &conn.ReplyError{Reply: map[string]string{"code": "E"}}
		})()
		defer conn.Handle(c, "bytes", func(_ context.Context, b []byte) ([]byte, error) { return append(b, b...), nil })()
		assert.Equal(r, []any{42.0}, call[answer](r, c, "ask", "double", 21).Reply)
		assert.Equal(r, []any{map[string]any{"error": "no"}}, call[answer](r, c, "ask", "fail", 1).Reply)
		assert.Equal(r, []any{map[string]any{"code": "E"}}, call[answer](r, c, "ask", "choose", 1).Reply)
		assert.Equal(r, []any{[]byte{7, 7}}, call[answer](r, c, "ask", "bytes", []byte{7}).Reply)
	})
}

func TestText_roundTripsUnicode(t *testing.T) {
	conform(t, "UTF-8: multibyte, emoji", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		for _, text := range []string{"", "é€", "日本語", "🎉👩‍👩‍👧", "\u2028\u2029\x00\x1e\"\\", "𝄞"} {
			assert.Equal(r, text, call[string](r, c, "echo", text))
			var codes []rune
			for _, code := range text {
				codes = append(codes, code)
			}
			assert.True(r, call[bool](r, c, "same", text, append([]rune{}, codes...)))
			assert.Equal(r, "x", call[string](r, c, "echo", "x"))
		}
	})
}

func TestText_replacesLoneSurrogates(t *testing.T) {
	conform(t, "lone surrogates become U+FFFD", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		args := call[conn.Event](r, c, "surrogates")
		for i, want := range []string{"\ufffd", "a\ufffdb", "😀"} {
			var got string
			require.NoError(r, args.Decode(i, &got))
			assert.Equal(r, want, got)
		}
		assert.Equal(r, "a\ufffdb", call[string](r, c, "echo", "a\xffb"), "invalid UTF-8 likewise")
		assert.Equal(r, "\ufffd", call[string](r, c, "echo", json.RawMessage(`"\ud83d"`)))
	})
}

func TestPayload_roundTripsJSONValues(t *testing.T) {
	conform(t, "false, null, 0, \"\" and nested arrays as payloads", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		raw := c.Raw.Chan(r.ctx)
		for _, value := range []string{`false`, `null`, `0`, `""`, `[[],[[0,null]]]`, `{}`, `-1.5e3`} {
			require.NoError(r, c.Emit(r.ctx, "echo", json.RawMessage(value)))
			event := receive(r, raw)
			require.Len(r, event.Args, 1)
			assert.JSONEq(r, value, string(event.Args[0]))
			assert.JSONEq(r, value, string(call[conn.Args](r, c, "echo", json.RawMessage(value))[0]))
		}
		assert.Equal(r, []any{"boolean", "null", "number", "string", []any{}}, call[[]any](r, c, "types", false, nil, 0, "", []int{}))
	})
}

func TestPayload_hasSeveralArgumentsOrNone(t *testing.T) {
	conform(t, "several arguments, and none", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		raw := c.Raw.Chan(r.ctx)
		require.NoError(r, c.Emit(r.ctx, "echo", 1, "two", map[string]int{"three": 3}, nil))
		event := receive(r, raw)
		require.Len(r, event.Args, 4)
		assert.JSONEq(r, `{"three":3}`, string(event.Args[2]))
		require.NoError(r, c.Emit(r.ctx, "echo"))
		assert.Empty(r, receive(r, raw).Args)
	})
}

func TestBinary_isReceivedInEveryPosition(t *testing.T) {
	conform(t, "binary received in every position", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		check := func(event conn.Event) {
			var first []byte
			require.NoError(r, event.Decode(0, &first))
			assert.Equal(r, []byte{1}, first)
			var second struct {
				Nested struct{ List []any }
				Empty  []byte
			}
			require.NoError(r, event.Decode(1, &second))
			assert.Equal(r, []any{"text", []byte{2}, []any{[]byte{3, 3}}}, second.Nested.List)
			assert.Equal(r, []byte{}, second.Empty)
			var third [][]byte
			require.NoError(r, event.Decode(2, &third))
			assert.Equal(r, [][]byte{{4}, nil, {5}}, third)
		}
		check(call[conn.Event](r, c, "binary"))
		raw := c.Raw.Chan(r.ctx)
		require.NoError(r, c.Emit(r.ctx, "binary event"))
		check(receive(r, raw))
	})
}

func TestBinary_isSentFromEveryPosition(t *testing.T) {
	conform(t, "binary sent from every position", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		type part struct {
			Data []byte `json:"data"`
			Text string `json:"text"`
		}
		large := bytes.Repeat([]byte{9}, 1<<20)
		types := call[[]any](r, c, "types", []byte{1}, part{[]byte{2}, "x"}, []any{[]byte{3}, [][]byte{{4}, {}}}, map[string]any{"deep": []part{{large, ""}}})
		assert.Equal(r, []any{
			"bytes:1:1", map[string]any{"data": "bytes:1:2", "text": "string"},
			[]any{"bytes:1:3", []any{"bytes:1:4", "bytes:0:"}},
			map[string]any{"deep": []any{map[string]any{"data": "bytes:1048576:9", "text": "string"}}},
		}, types)
		assert.Equal(r, large, call[[]byte](r, c, "echo", large))
	})
}

func TestBinary_keepsOrderWithText(t *testing.T) {
	conform(t, "order of text and binary", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		echo := c.Raw.Chan(r.ctx)
		for n := range 200 {
			if n%2 == 0 {
				require.NoError(r, c.Emit(r.ctx, "echo", n, []byte{byte(n)}, []byte{byte(n + 1)}))
			} else {
				require.NoError(r, c.Emit(r.ctx, "echo", n))
			}
		}
		for n := range 200 {
			event := receive(r, echo)
			var got int
			require.NoError(r, event.Decode(0, &got))
			require.Equal(r, n, got)
			if n%2 == 0 {
				require.Equal(r, [][]byte{{byte(n)}, {byte(n + 1)}}, event.Attachments)
			}
		}
	})
}

func TestTryEmit_doesNotQueueEvents(t *testing.T) {
	conform(t, "volatile events", server, nil, func(r *row) {
		cfg := r.rig.cfg
		c, err := conn.New(r.url, cfg)
		require.NoError(r, err)
		assert.ErrorIs(r, c.TryEmit("n", 1), conn.ErrNotReady)
		r.start(c)
		require.NoError(r, c.Ready(r.ctx))
		require.NoError(r, c.TryEmit("n", 2))
		assert.Equal(r, []int{2}, call[[]int](r, c, "heard"))
	})
}

func TestEvents_keepOrderBothWays(t *testing.T) {
	const count = 10_000
	conform(t, "order of 10,000 events both ways", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		numbers := conn.On[int](c, "n").Subscribe(r.ctx, bus.Limit(count)).C()
		require.NoError(r, c.Emit(r.ctx, "flood", count))
		for n := range count {
			require.NoError(r, c.Emit(r.ctx, "n", n))
		}
		for n := range count {
			require.Equal(r, n, receive(r, numbers))
		}
		heard := call[[]int](r, c, "heard")
		require.Len(r, heard, count)
		for n := range count {
			require.Equal(r, n, heard[n])
		}
	})
}
