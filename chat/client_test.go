package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/socketio"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNew_rejectsInvalidConfig(t *testing.T) {
	room := events.StringID("room-1")
	for want, cfg := range map[string]Config{
		"no ChatID to join":                 {},
		"both NoJoin and a JoinPayload":     {NoJoin: true, JoinPayload: 1},
		`no event with the key "NONSENSE"`:  {ChatID: room, Names: map[events.Key]string{"NONSENSE": "x"}},
		"the name of AI_TOKEN is empty":     {ChatID: room, Names: map[events.Key]string{events.KeyAIToken: ""}},
		"NameFunc returned no name":         {ChatID: room, NameFunc: func(events.Key, string) string { return "" }},
		`"connect" of JOIN is reserved`:     {ChatID: room, Names: map[events.Key]string{events.KeyJoin: "connect"}},
		`"connect" of AI_TOKEN is reserved`: {ChatID: room, Names: map[events.Key]string{events.KeyAIToken: "connect"}},
		`"disconnect" is reserved`:          {ChatID: room, ServerErrorEvent: "disconnect"},
		`Meta["f"]`:                         {ChatID: room, Meta: map[string]any{"f": func() {}}},
		"Config.JoinPayload":                {JoinPayload: func() {}},
		"unknown transport":                 {ChatID: room, Conn: conn.Config{Transports: []string{"x"}}},
		"a timeout of Config is negative":   {ChatID: room, Delivery: Delivery{AckTimeout: -1}},
		"a limit of Config is negative":     {ChatID: room, Tools: Tools{MaxConcurrent: -1}},
	} {
		t.Run(want, func(t *testing.T) {
			_, err := New("http://localhost", cfg)
			assert.ErrorContains(t, err, want)
		})
	}
	_, err := New("nonsense", Config{ChatID: room})
	assert.ErrorContains(t, err, "scheme")
}

func TestMembers_mergesPayloadAndStaysUnchanged(t *testing.T) {
	base, err := newBase(events.IntID(7), map[string]any{"a": 1, "b": "meta"})
	require.NoError(t, err)
	for range 2 {
		for _, tc := range []struct {
			own  any
			want string
		}{
			{nil, `{"chatId":7,"a":1,"b":"meta"}`},
			{map[string]any{"b": "a longer value of its own", "c": nil}, `{"chatId":7,"a":1,"b":"a longer value of its own","c":null}`},
			{json.RawMessage(`{"chatId": 9007199254740993}`), `{"a":1,"b":"meta","chatId": 9007199254740993}`},
			{json.RawMessage(` { } `), ` {"chatId":7,"a":1,"b":"meta" } `},
			{json.RawMessage(`{"x":{"a":["b"]},"y":"\"a\":,{","\u0061":[],"z":{"b":1}}`), `{"chatId":7,"b":"meta","x":{"a":["b"]},"y":"\"a\":,{","\u0061":[],"z":{"b":1}}`},
			{map[string]any{"a": 1, "b": 2, "chatId": 3}, `{"a":1,"b":2,"chatId":3}`},
			{events.Abort{Reason: "x", Extra: map[string]json.RawMessage{"b": nil}}, `{"chatId":7,"a":1,"reason":"x","b":null}`},
			{(*events.Abort)(nil), `null`},
			{[]int{1}, `[1]`},
			{"text", `"text"`},
		} {
			got, err := new(socketio.Encoder).Append(nil, base.with(tc.own))
			require.NoError(t, err)
			assert.Equal(t, tc.want, string(got))
		}
	}
	_, err = new(socketio.Encoder).Append(nil, base.with(make(chan int)))
	assert.Error(t, err)
}

func TestServerError_decodesAnyPayload(t *testing.T) {
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

func TestServerErrors_usesConfiguredEventName(t *testing.T) {
	for name, cfg := range map[string]Config{"error": {}, "oh:no": {ServerErrorEvent: "oh:no"}} {
		stage := newStage(t, nil)
		client, _ := stage.run(t, cfg)
		failures := client.ServerErrors.Chan(t.Context())
		p := wiretest.ReceiveFrom(t, stage.peers)
		p.Send(`42["no:error",{}]`, fmt.Sprintf(`42[%q,{"code":1,"message":"broken"},"more"]`, name))
		assert.Equal(t, ServerError{Message: "broken", Raw: json.RawMessage(`{"code":1,"message":"broken"}`)},
			wiretest.ReceiveFrom(t, failures))
	}
}

func TestRun_reportsRejectedHandshake(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Send(wiretest.OpenPacket)
		p.Receive()
		p.Send(`44{"message":"not you","data":{"code":401}}`)
		p.UntilGone()
	})
	client, err := New(url, quick(Config{}))
	require.NoError(t, err)
	defer client.Close()
	states := client.States.Chan(t.Context())
	want := &conn.RefusedError{
		Message: "not you", Data: json.RawMessage(`{"code":401}`),
		Payload: json.RawMessage(`{"message":"not you","data":{"code":401}}`),
	}
	assert.Equal(t, want, client.Run(t.Context()))
	state := wiretest.ReceiveFrom(t, states)
	for state.Phase != conn.Stopped {
		state = wiretest.ReceiveFrom(t, states)
	}
	assert.Equal(t, want, state.Err)
}

func TestRun_returnsErrDisconnectedUnlessRetryAllows(t *testing.T) {
	stage := newStage(t, nil)
	client, ended := stage.run(t, Config{})
	require.NoError(t, client.Ready(wiretest.Context(t)))
	wiretest.ReceiveFrom(t, stage.peers).Send("41")
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, ended), conn.ErrDisconnected)
	assert.ErrorIs(t, client.State().Err, conn.ErrDisconnected)

	stage = newStage(t, nil)
	client, _ = stage.run(t, Config{Conn: conn.Config{Retry: func(err error) bool { return errors.Is(err, conn.ErrDisconnected) }}})
	require.NoError(t, client.Ready(wiretest.Context(t)))
	stage.next(t)
	wiretest.ReceiveFrom(t, stage.peers).Send("41")
	assert.Equal(t, `42["chat:join",{"chatId":"room-1"}]`, stage.next(t), "it is back, and in its room")
}

func TestOnConnect_runsBeforeDiscoveryAndJoin(t *testing.T) {
	stage := newStage(t, func(p *peer, frame string) {
		if frame == `42["meta:events:request",{"chatId":"room-1"}]` {
			p.Send(`42["meta:events:response",{}]`)
		}
	})
	client, _ := stage.run(t, Config{
		Discovery: Discovery{Enabled: true},
		Conn: conn.Config{OnConnect: func(ctx context.Context, s *conn.Session) error {
			return s.Emit(ctx, "setup")
		}},
	})
	for range 2 { // after each connect
		assert.Equal(t, `42["setup"]`, stage.next(t))
		assert.Equal(t, `42["meta:events:request",{"chatId":"room-1"}]`, stage.next(t))
		assert.Equal(t, `42["chat:join",{"chatId":"room-1"}]`, stage.next(t))
		require.NoError(t, client.Ready(wiretest.Context(t)))
		wiretest.ReceiveFrom(t, stage.peers).cut()
	}
}

func TestOnConnect_errorEndsSession(t *testing.T) {
	stage := newStage(t, nil)
	broken := errors.New("broken")
	calls := 0
	client := stage.client(t, Config{Conn: conn.Config{OnConnect: func(context.Context, *conn.Session) error {
		switch calls++; calls {
		case 1:
			return broken
		case 3:
			return reconnect.Permanent(broken)
		}
		return nil
	}}})
	states := client.States.Chan(t.Context())
	ended, _ := wiretest.Run(t, client)
	wiretest.ReceiveFrom(t, stage.peers)
	var waiting conn.State
	for waiting.Phase != conn.Waiting {
		waiting = wiretest.ReceiveFrom(t, states)
	}
	assert.ErrorIs(t, waiting.Err, broken)
	assert.Equal(t, "41", stage.next(t), "the first session ends without a join")
	assert.Equal(t, `42["chat:join",{"chatId":"room-1"}]`, stage.next(t))
	require.NoError(t, client.Ready(wiretest.Context(t)))
	wiretest.ReceiveFrom(t, stage.peers).cut()

	err := wiretest.ReceiveFrom(t, ended)
	assert.ErrorIs(t, err, broken)
	var failed *conn.OnConnectError
	assert.ErrorAs(t, err, &failed)
	assert.Equal(t, 3, calls)
}

func TestSubscription_survivesReconnectsAndRuns(t *testing.T) {
	stage := newStage(t, nil)
	client := stage.client(t, Config{})
	tokens, raw := client.Tokens.Chan(t.Context()), client.Raw.Chan(t.Context())
	typed := On[[]int](client, "results").Chan(t.Context())
	failures := client.ServerErrors.Chan(t.Context())
	hear := func(p *peer) {
		t.Helper()
		p.Send(`42["ai:token",{"token":"x","index":0}]`, `42["results",[1,2]]`, `42["error","broken"]`)
		assert.Equal(t, "x", wiretest.ReceiveFrom(t, tokens).Token)
		assert.Equal(t, []int{1, 2}, wiretest.ReceiveFrom(t, typed))
		assert.Equal(t, "broken", wiretest.ReceiveFrom(t, failures).Message)
		for _, name := range []string{"ai:token", "results", "error"} {
			assert.Equal(t, name, wiretest.ReceiveFrom(t, raw).Name)
		}
	}
	for range 2 {
		ended, stop := wiretest.Run(t, client)
		p := wiretest.ReceiveFrom(t, stage.peers)
		hear(p)
		p.cut()
		p = wiretest.ReceiveFrom(t, stage.peers)
		hear(p)
		require.ErrorIs(t, client.Run(t.Context()), conn.ErrRunning, "one at a time")
		stop()
		require.NoError(t, wiretest.ReceiveFrom(t, ended))
		assert.Equal(t, conn.Stopped, client.State().Phase)
	}
	client.Close()
	for range tokens { // closes
	}
	assert.ErrorIs(t, client.Run(t.Context()), conn.ErrClosed)
}

func TestNew_leavesClientIdle(t *testing.T) {
	client := newStage(t, nil).client(t, Config{})
	assert.Equal(t, conn.Idle, client.State().Phase)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, client.Ready(ctx), context.Canceled)
}

func TestRaw_deliversEveryEventWithAllArguments(t *testing.T) {
	stage := newStage(t, nil)
	client, _ := stage.run(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	all := client.Raw.Chan(ctx)
	wiretest.ReceiveFrom(t, stage.peers).Send(`42["one",{"a":9007199254740993},"two",[3],null]`, `42["none"]`,
		`42["ai:token",{"token":"x","index":"wrong"}]`)
	event := wiretest.ReceiveFrom(t, all)
	assert.Equal(t, "one", event.Name)
	assert.Equal(t, `[{"a":9007199254740993} "two" [3] null]`, fmt.Sprintf("%s", event.Args))
	var second string
	require.NoError(t, event.Decode(1, &second))
	assert.Equal(t, "two", second)
	assert.Empty(t, wiretest.ReceiveFrom(t, all).Args)
	assert.Equal(t, "ai:token", wiretest.ReceiveFrom(t, all).Name, "even what fits no type")
	cancel()
	for range all { // closes
	}
}

func TestDecodeErrors_reportsInvalidPayloadsInsteadOfEvents(t *testing.T) {
	stage := newStage(t, nil)
	client, _ := stage.run(t, Config{})
	tokens, failures := client.Tokens.Chan(t.Context()), client.DecodeErrors.Chan(t.Context())
	wiretest.ReceiveFrom(t, stage.peers).Send(`42["ai:token",{"index":0}]`, `42["ai:token",{"token":7,"index":0}]`,
		`42["ai:token"]`, `42["ai:token",{"token":"x","index":0,"extra":true},"offset"]`)
	for range 2 {
		var wrong *events.FieldError
		require.ErrorAs(t, wiretest.ReceiveFrom(t, failures), &wrong)
		assert.Equal(t, "token", wrong.Field)
	}
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, failures), conn.ErrNoPayload)
	token := wiretest.ReceiveFrom(t, tokens)
	assert.Equal(t, "x", token.Token)
	assert.JSONEq(t, `true`, string(token.Extra["extra"]))
}

func TestEvents_deliversEveryEventKindInOrder(t *testing.T) {
	stage := newStage(t, nil)
	client, _ := stage.run(t, Config{})
	ctx := t.Context()
	processing, tokens, messages, failures := client.Processing.Chan(ctx), client.Tokens.Chan(ctx), client.Messages.Chan(ctx), client.Errors.Chan(ctx)
	calls, results, people, presence := client.ToolCalls.Chan(ctx), client.ToolResults.Chan(ctx), client.ChatMessages.Chan(ctx), client.Presence.Chan(ctx)
	all := client.Events.Chan(ctx)
	wiretest.ReceiveFrom(t, stage.peers).Send(
		`42["ai:processing",{"status":"pondering","etaMs":5}]`,
		`42["ai:token",{"token":"x","index":0}]`,
		`42["ai:tool_call",{"callId":"c","toolName":"clock","args":{}}]`,
		`42["ai:tool_result",{"callId":"c","toolName":"clock","result":7}]`,
		`42["ai:message",{"messageId":"m","role":"assistant","text":"x","createdAt":"2026-01-02T03:04:05Z"}]`,
		`42["ai:error",{"message":"broken"}]`,
		`42["chat:message",{"messageId":"m","userId":7,"text":"hi","createdAt":"2026-01-02T03:04:05Z"}]`,
		`42["presence:update",{"onlineUserIds":["u1",7]}]`)
	assert.Equal(t, events.Status("pondering"), wiretest.ReceiveFrom(t, processing).Status)
	assert.Equal(t, "x", wiretest.ReceiveFrom(t, tokens).Token)
	assert.Equal(t, "clock", wiretest.ReceiveFrom(t, calls).ToolName)
	assert.Equal(t, "7", string(wiretest.ReceiveFrom(t, results).Result))
	assert.Equal(t, "x", wiretest.ReceiveFrom(t, messages).Text)
	assert.Equal(t, "broken", wiretest.ReceiveFrom(t, failures).Message)
	assert.Equal(t, events.IntID(7), wiretest.ReceiveFrom(t, people).UserID)
	assert.Equal(t, []events.ID{user, events.IntID(7)}, wiretest.ReceiveFrom(t, presence).OnlineUserIDs)
	for _, key := range []events.Key{events.KeyAIProcessing, events.KeyAIToken, events.KeyAIToolCall, events.KeyAIToolResult,
		events.KeyAIMessage, events.KeyAIError, events.KeyChatMessage, events.KeyPresenceUpdate} {
		assert.Equal(t, key, wiretest.ReceiveFrom(t, all).Key())
	}
}

func TestClient_printsNoSecrets(t *testing.T) {
	cfg := Config{NoJoin: true, Conn: conn.Config{
		Header: http.Header{"Authorization": {"s3cr3t"}},
		Query:  url.Values{"token": {"s3cr3t"}},
	}}
	client, err := New("http://localhost/admin?key=s3cr3t", cfg)
	require.NoError(t, err)

	var printed bytes.Buffer
	for _, v := range []any{client, cfg, struct{ Client *Client }{client}} {
		fmt.Fprintf(&printed, "%v %+v %#v %s\n", v, v, v, v)
		slog.New(slog.NewTextHandler(&printed, nil)).Info("printed", "value", v)
		slog.New(slog.NewJSONHandler(&printed, nil)).Info("printed", "value", v)
	}
	assert.Contains(t, printed.String(), "conn http://localhost/admin (idle)")
	assert.NotContains(t, printed.String(), "s3cr3t")
}
