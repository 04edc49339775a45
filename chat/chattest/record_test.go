package chattest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReceived_recordsClientEvents(t *testing.T) {
	server := start(t, chattest.Config{})
	c, _ := joined(t, server, "room-1", "ada")
	require.NoError(t, c.Emit(t.Context(), "several", 1, "two", nil))
	require.NoError(t, c.Emit(t.Context(), "bytes", []byte("abc"), map[string][]byte{"deep": {1}}))
	call[string](t, c, "echo", "x")

	var lines []string
	for _, r := range server.Received() {
		assert.Same(t, server.Sockets()[0], r.Socket)
		lines = append(lines, r.String())
	}
	require.Len(t, lines, 4)
	assert.Equal(t, []string{`chat:join [{"chatId":"room-1"}]`, `several [1 "two" null]`}, lines[:2])
	assert.Contains(t, lines[2], `bytes ["YWJj" `)
	assert.Equal(t, `echo ["x"]`, lines[3])
	assert.True(t, server.Received("echo")[0].WantsAck)
	assert.Len(t, server.Received("echo", "several"), 2)
	assert.Empty(t, server.Received("nothing"))
}

func TestNext_returnsEachEventOnce(t *testing.T) {
	server := start(t, chattest.Config{})
	c, _ := joined(t, server, "room-1", "ada")
	call[int](t, c, "echo", 0)
	number := func(r chattest.Received, err error) (n int) {
		t.Helper()
		require.NoError(t, err)
		require.NoError(t, r.Decode(&n))
		return n
	}
	assert.Equal(t, 0, number(server.Next(t.Context(), "echo")), "it had come before")
	go func() {
		for n := range 100 {
			_ = c.Emit(t.Context(), "other", n)
			_ = c.Emit(t.Context(), "echo", n+1)
		}
	}()
	for n := range 100 {
		assert.Equal(t, n+1, number(server.Next(t.Context(), "echo")))
	}
	for n := range 100 {
		assert.Equal(t, n, number(server.Next(t.Context(), "other")))
	}
	assert.Len(t, server.Received("echo"), 101, "Next takes nothing off the record")
}

func TestNext_failsWhenContextEndsOrServerCloses(t *testing.T) {
	server := start(t, chattest.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := server.Next(ctx, "never")
	assert.ErrorIs(t, err, context.Canceled)
	server.Close()
	_, err = server.Next(t.Context(), "never")
	assert.ErrorIs(t, err, chattest.ErrClosed)
}

func TestReceived_dropsOldestEvents(t *testing.T) {
	server := start(t, chattest.Config{})
	c, _, _ := client(t, server, conn.Config{})
	for n := range 10_001 {
		require.NoError(t, c.Emit(t.Context(), "n", n))
	}
	call[[]int](t, c, "echo")
	all := server.Received()
	require.Len(t, all, 10_000)
	assert.Equal(t, "n [2]", all[0].String())
}

// recorder is a test that Expect may fail.
type recorder struct {
	ctx     context.Context
	failure string
}

func (r *recorder) Helper()                         {}
func (r *recorder) Context() context.Context        { return r.ctx }
func (r *recorder) Fatalf(text string, args ...any) { r.failure = fmt.Sprintf(text, args...) }

func TestExpect_reportsMismatch(t *testing.T) {
	server := start(t, chattest.Config{})
	c, _ := joined(t, server, "room-1", "ada")
	payload := map[string]any{"id": int64(9007199254740993), "list": []int{1}, "name": "x"}
	for _, tc := range []struct {
		sent, expected any
		failure        string
	}{
		{payload, nil, ""},
		{payload, map[string]any{}, ""},
		{payload, map[string]any{"id": int64(9007199254740993), "list": []int{1}}, ""},
		{payload, map[string]any{"id": 9007199254740992}, `event thing differs: another "id"`},
		{payload, map[string]any{"id": int64(9007199254740993), "other": nil}, `no "other"`},
		{payload, events.StringID("x"), "another value"},
		{"text", map[string]any{"a": 1}, "another value"},
		{"text", "text", ""},
		{payload, make(chan int), "payload expected of thing"},
	} {
		require.NoError(t, c.Emit(t.Context(), "thing", tc.sent))
		test := &recorder{ctx: t.Context()}
		assert.Equal(t, "thing", server.Expect(test, "thing", tc.expected).Name)
		if tc.failure == "" {
			assert.Empty(t, test.failure)
		} else {
			assert.Contains(t, test.failure, tc.failure)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	test := &recorder{ctx: ctx}
	server.Expect(test, "never", nil)
	assert.Equal(t, "chattest: no event never: context canceled\n  want: any payload\n   got: nothing\n  else: chat:join [{\"chatId\":\"room-1\"}]", test.failure)
	test = &recorder{ctx: ctx}
	start(t, chattest.Config{}).Expect(test, "never", nil)
	assert.Contains(t, test.failure, "else: nothing")
}

func TestExpect_distinguishesBytesFromStrings(t *testing.T) {
	server := start(t, chattest.Config{})
	c, _ := joined(t, server, "room-1", "ada")
	for _, tc := range []struct {
		sent    any
		failure string
	}{{[]byte("abc"), ""}, {"YWJj", "it is a string, not bytes"}, {[]byte("abd"), "another value"}} {
		require.NoError(t, c.Emit(t.Context(), "thing", tc.sent))
		test := &recorder{ctx: t.Context()}
		server.Expect(test, "thing", []byte("abc"))
		if tc.failure == "" {
			assert.Empty(t, test.failure)
		}
		assert.Contains(t, test.failure, tc.failure)
	}
}

func TestExpect_showsOtherEvents(t *testing.T) {
	server := start(t, chattest.Config{})
	c, _ := joined(t, server, "room-1", "ada")
	for n := range 30 {
		require.NoError(t, c.Emit(t.Context(), "n", n))
	}
	require.NoError(t, c.Emit(t.Context(), "thing", 1))
	test := &recorder{ctx: t.Context()}
	server.Expect(test, "thing", 2)
	assert.Contains(t, test.failure, "  want: 2\n   got: 1\n  else: (11 earlier events)\n        n [10]\n")
}
