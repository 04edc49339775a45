package chat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// search is a tool's args, and hits its result.
type search struct {
	Query string `json:"query"`
	Size  int64  `json:"size"`
}

type hits struct {
	Found []string `json:"found"`
}

func find(_ context.Context, args search) (hits, error) {
	switch args.Query {
	case "error":
		return hits{}, errors.New("no index")
	case "chosen":
		return hits{}, &conn.ReplyError{Reply: map[string]int{"code": 7}}
	case "panic":
		panic("a secret")
	}
	return hits{Found: []string{args.Query, fmt.Sprint(args.Size)}}, nil
}

func TestHandleTool_acknowledgesWithResult(t *testing.T) {
	stage := newStage(t, nil)
	client, _ := stage.run(t, Config{NoJoin: true})
	defer HandleTool(client, "search", find)()
	HandleTool(client, "unencodable", func(context.Context, any) (any, error) { return func() {}, nil })
	p := wiretest.ReceiveFrom(t, stage.peers)
	for n, tc := range []struct{ tool, args, want string }{
		{"search", `{"query":"go","size":9007199254740993}`, `{"found":["go","9007199254740993"]}`},
		{"search", `null`, `{"found":["","0"]}`},
		{"search", `{"query":"error"}`, `{"error":"no index"}`},
		{"search", `{"query":"chosen"}`, `{"code":7}`},
		{"search", `{"query":"panic"}`, `{"error":"tool \"search\" has panicked"}`},
		{"nowhere", `{}`, `{"error":"there is no tool \"nowhere\""}`},
	} {
		p.Send(fmt.Sprintf(`42%d["ai:tool_call",{"callId":"c1","toolName":%q,"args":%s}]`, n, tc.tool, tc.args))
		assert.Equal(t, fmt.Sprintf(`43%d[%s]`, n, tc.want), stage.next(t))
	}
	p.Send(`4298["ai:tool_call",{"callId":"c1","toolName":"search","args":{"query":7}}]`)
	assert.Contains(t, stage.next(t), `4398[{"error":"args of tool \"search\": `)
	p.Send(`4299["ai:tool_call",{"callId":"c1","toolName":"unencodable","args":{}}]`)
	assert.Contains(t, stage.next(t), `4399[{"error":"`)
}

func TestHandleTool_emitsResultEventWhenNoAckRequested(t *testing.T) {
	for name, cfg := range map[string]Config{
		"ai:tool_result": {},
		"llm:result":     {Names: map[events.Key]string{events.KeyAIToolResult: "llm:result"}},
		"tool:done":      {Tools: Tools{ResultEvent: "tool:done"}},
	} {
		t.Run(name, func(t *testing.T) {
			stage := newStage(t, nil)
			cfg.Meta = map[string]any{"tenant": "acme"}
			client, _ := stage.run(t, cfg)
			HandleTool(client, "search", find)
			HandleTool(client, "unencodable", func(context.Context, any) (any, error) { return func() {}, nil })
			p := wiretest.ReceiveFrom(t, stage.peers)
			stage.next(t)
			for _, tc := range []struct{ call, want string }{
				{`"callId":"c1","toolName":"search","requestId":"r1","traceId":"t1","chatId":"room-2","args":{"query":"go"}`,
					`{"tenant":"acme","callId":"c1","chatId":"room-2","requestId":"r1","result":{"found":["go","0"]},"toolName":"search","traceId":"t1"}`},
				{`"callId":"c2","toolName":"search","args":{"query":"error"}`,
					`{"chatId":"room-1","tenant":"acme","callId":"c2","error":"no index","toolName":"search"}`},
				{`"callId":"c3","toolName":"search","args":{"query":"chosen"}`,
					`{"chatId":"room-1","tenant":"acme","callId":"c3","error":{"code":7},"toolName":"search"}`},
				{`"callId":"c4","toolName":"search","args":{"query":"panic"}`,
					`{"chatId":"room-1","tenant":"acme","callId":"c4","error":"tool \"search\" has panicked","toolName":"search"}`},
				{`"callId":"c5","toolName":"nowhere","args":{}`,
					`{"chatId":"room-1","tenant":"acme","callId":"c5","error":"there is no tool \"nowhere\"","toolName":"nowhere"}`},
			} {
				p.Send(`42["ai:tool_call",{` + tc.call + `}]`)
				assert.Equal(t, fmt.Sprintf(`42[%q,%s]`, name, tc.want), stage.next(t))
			}
			p.Send(`42["ai:tool_call",{"callId":"c6","toolName":"unencodable","args":{}}]`)
			assert.Contains(t, stage.next(t), `"chatId":"room-1","tenant":"acme","callId":"c6","error":"`)
		})
	}
}

func TestHandleTool_logsPanicWithoutSendingIt(t *testing.T) {
	stage := newStage(t, nil)
	var log bytes.Buffer
	client := stage.client(t, Config{NoJoin: true, Conn: conn.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}})
	HandleTool(client, "search", find)
	_, stop := wiretest.Run(t, client)
	wiretest.ReceiveFrom(t, stage.peers).Send(`421["ai:tool_call",{"callId":"c","toolName":"search","args":{"query":"panic"}}]`)
	assert.NotContains(t, stage.next(t), "a secret")
	stop()
	assert.Contains(t, log.String(), "a secret")
	assert.Contains(t, log.String(), "tools_test.go")
}

// callFrame returns a call of the tool "wait", and ackedFrame a call with an
// acknowledgement.
func callFrame(id int, request string) string {
	return fmt.Sprintf(`42["ai:tool_call",{"callId":"%d","requestId":%q,"toolName":"wait","args":%[1]d}]`, id, request)
}

func ackedFrame(id int, request string) string {
	return strings.Replace(callFrame(id, request), "42", fmt.Sprint("42", id), 1)
}

// waitingTool adds the tool "wait", which reports its begin and its end. It
// blocks until its ctx ends or release is closed.
func waitingTool(client *Client) (begun chan int, ended chan error, release chan struct{}, remove func()) {
	begun, ended, release = make(chan int, 100), make(chan error, 100), make(chan struct{})
	remove = HandleTool(client, "wait", func(ctx context.Context, n int) (int, error) {
		begun <- n
		select {
		case <-ctx.Done():
			ended <- ctx.Err()
			return 0, ctx.Err()
		case <-release:
			return n, nil
		}
	})
	return begun, ended, release, remove
}

func TestHandleTool_cancelsCallWhenRequestEnds(t *testing.T) {
	// A call ends with the client, its session, its stream, the ctx of Ask, or
	// the removal of the tool.
	type call struct {
		client *Client
		link   *link
		stream *Stream
		cancel func()
		remove func()
	}
	for name, tc := range map[string]struct {
		end   func(c call)
		named bool // the backend needs request ids for it
	}{
		"Client.Abort of the request": {end: func(c call) { _ = c.client.Abort(context.Background(), events.Abort{RequestID: "r1"}) }},
		"Client.Abort of the chat":    {end: func(c call) { _ = c.client.Abort(context.Background(), events.Abort{}) }},
		"Stream.Abort":                {end: func(c call) { c.stream.Abort("") }},
		"the ctx of Ask":              {end: func(c call) { c.cancel() }},
		"AIError":                     {end: func(c call) { c.link.send(`42["ai:error",{"message":"x","requestId":"r1"}]`) }, named: true},
		"AIError without request id":  {end: func(c call) { c.link.send(`42["ai:error",{"message":"x","chatId":"room-1"}]`) }},
		"abort from the server":       {end: func(c call) { c.link.send(`42["ai:abort",{"requestId":"r1"}]`) }, named: true},
		"Close":                       {end: func(c call) { c.client.Close() }},
		"removal of the tool":         {end: func(c call) { c.remove() }},
		"replacement of the tool":     {end: func(c call) { waitingTool(c.client) }},
	} {
		// Without a request id, the call belongs to the only question.
		for _, request := range []string{"r1", ""} {
			if request == "" && tc.named {
				continue
			}
			t.Run(fmt.Sprintf("%s, request id %q", name, request), func(t *testing.T) {
				onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
					begun, ended, _, remove := waitingTool(client)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					s, err := client.Ask(ctx, Question{UserID: user, RequestID: "r1"})
					require.NoError(t, err)
					l.send(callFrame(1, request), ackedFrame(2, request))
					assert.Equal(t, 3, <-begun+<-begun)
					tc.end(call{client, l, s, cancel, remove})
					assert.ErrorIs(t, <-ended, context.Canceled)
					assert.ErrorIs(t, <-ended, context.Canceled)
					synctest.Wait()
					if name == "Close" {
						return // no session to reply on
					}
					frames := l.drain()
					assert.Contains(t, frames, `432[{"error":"context canceled"}]`, "the acknowledgement is sent")
					for _, frame := range frames {
						assert.NotContains(t, frame, "tool_result", "a result event is not")
					}
				})
			})
		}
	}
}

func TestAbort_keepsToolCallsOfOtherRequestsRunning(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		begun, ended, release, _ := waitingTool(client)
		l.send(ackedFrame(1, "r1"), ackedFrame(2, "r2"), strings.Replace(ackedFrame(3, "r3"), "{", `{"chatId":"room-2",`, 1))
		for range 3 {
			<-begun
		}
		_ = client.Abort(t.Context(), events.Abort{RequestID: "r1"})
		<-ended
		l.send(`42["ai:error",{"message":"of nobody knows whom"}]`, `42["ai:abort",{}]`)
		_ = client.Abort(t.Context(), events.Abort{ChatID: room1})
		<-ended
		synctest.Wait()
		assert.Empty(t, ended, "that in another room")
		close(release)
		synctest.Wait()
		assert.Contains(t, l.drain(), `433[3]`)
	})
}

func TestHandleTool_cancelsOnlyAcknowledgedCallsOnLostSession(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		begun, ended, release, _ := waitingTool(client)
		l.send(ackedFrame(1, "r1"), callFrame(2, "r1"))
		<-begun
		<-begun
		l.cut()
		assert.ErrorIs(t, <-ended, context.Canceled)
		l = w.accept("")
		<-l.out
		close(release)
		assert.Equal(t, `42["ai:tool_result",{"chatId":"room-1","callId":"2","requestId":"r1","result":2,"toolName":"wait"}]`, <-l.out)
		synctest.Wait()
		assert.Empty(t, ended)
	})
}

func TestTools_limitsConcurrentAndPendingCalls(t *testing.T) {
	var log bytes.Buffer
	onWire(t, Config{Tools: Tools{MaxConcurrent: 3, MaxPending: 2}, Conn: conn.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}},
		func(t *testing.T, w wire, client *Client, l *link) {
			begun, _, release, _ := waitingTool(client)
			for n := range 8 {
				l.send(ackedFrame(n, "r1"))
			}
			synctest.Wait()
			assert.Len(t, begun, 3, "so many run at a time")
			close(release)
			synctest.Wait()
			assert.Len(t, begun, 5, "so many have waited, and the others were dropped")
			assert.Equal(t, 1, strings.Count(log.String(), "too many tool calls"), "which is said once")
			l.send(ackedFrame(8, "r1"))
			synctest.Wait()
			assert.Len(t, begun, 6)
		})
}

func TestAbort_cancelsPendingToolCall(t *testing.T) {
	onWire(t, Config{Tools: Tools{MaxConcurrent: 1}}, func(t *testing.T, w wire, client *Client, l *link) {
		begun, _, release, _ := waitingTool(client)
		l.send(ackedFrame(1, "r1"), ackedFrame(2, "r2"))
		synctest.Wait()
		first := <-begun
		waiting := 3 - first
		_ = client.Abort(t.Context(), events.Abort{RequestID: fmt.Sprint("r", waiting)})
		assert.Contains(t, []string{<-l.out, <-l.out}, // the other is the abort
			fmt.Sprintf(`43%d[{"error":"context canceled"}]`, waiting))
		close(release)
		assert.Equal(t, fmt.Sprintf(`43%d[%[1]d]`, first), <-l.out)
		assert.Empty(t, begun)
	})
}

func TestShutdown_waitsForToolCalls(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		begun, _, release, _ := waitingTool(client)
		l.send(ackedFrame(1, "r1"), callFrame(2, "r1"))
		<-begun
		<-begun
		down := make(chan error, 1)
		go func() { down <- client.Conn().Shutdown(t.Context()) }() // ends with the tools
		synctest.Wait()
		l.send(ackedFrame(3, "r1")) // too late
		synctest.Wait()
		close(release)
		assert.NoError(t, <-down)
		said := <-l.out + <-l.out
		assert.Contains(t, said, `431[1]`)
		assert.Contains(t, said, `42["ai:tool_result",{"chatId":"room-1","callId":"2"`)
		assert.Empty(t, begun)
	})
}

func TestIdleTimeout_pausesWhileToolRuns(t *testing.T) {
	onWire(t, Config{Stream: StreamConfig{FirstTokenTimeout: -1}}, func(t *testing.T, w wire, client *Client, l *link) {
		begun, _, release, _ := waitingTool(client)
		s, err := client.Ask(t.Context(), Question{UserID: user, RequestID: "r1"})
		require.NoError(t, err)
		l.send(callFrame(1, "r1"), callFrame(2, "r1"))
		<-begun
		<-begun
		time.Sleep(time.Hour)
		assert.False(t, s.Progress().Ended, "the backend waits for us")
		close(release)
		synctest.Wait()
		start := time.Now()
		_, err = s.Wait()
		assert.ErrorIs(t, err, ErrStalled)
		assert.Equal(t, DefaultIdleTimeout, time.Since(start))
	})
}

func TestHandleTool_removesToolUnlessReplaced(t *testing.T) {
	stage := newStage(t, nil)
	client, _ := stage.run(t, Config{NoJoin: true})
	remove := HandleTool(client, "search", find)
	HandleTool(client, "other", find)
	removeFirst := remove
	remove = HandleTool(client, "search", find) // replaces the tool
	removeFirst()                               // has no effect now
	p := wiretest.ReceiveFrom(t, stage.peers)
	p.Send(`421["ai:tool_call",{"callId":"c","toolName":"search","args":{}}]`)
	assert.Equal(t, `431[{"found":["","0"]}]`, stage.next(t))
	remove()
	p.Send(`422["ai:tool_call",{"callId":"c","toolName":"search","args":{}}]`)
	assert.Equal(t, `432[{"error":"there is no tool \"search\""}]`, stage.next(t))
}
