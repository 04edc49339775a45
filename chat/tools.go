package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// Defaults of [Tools].
const (
	DefaultMaxConcurrentTools = 16
	DefaultMaxPendingTools    = 1024
)

// Tools says how tools are run.
type Tools struct {
	// MaxConcurrent is how many calls run at the same time. Default: DefaultMaxConcurrentTools.
	MaxConcurrent int

	// MaxPending is how many more may wait; what comes then is dropped, and that
	// is logged. Default: DefaultMaxPendingTools.
	MaxPending int

	// ResultEvent is the event that carries a result to a backend that has not
	// asked for an acknowledgement. Default: the name in force of
	// events.KeyAIToolResult.
	ResultEvent string
}

func (t *Tools) setDefaults() {
	setDefault(&t.MaxConcurrent, DefaultMaxConcurrentTools)
	setDefault(&t.MaxPending, DefaultMaxPendingTools)
}

// HandleTool makes fn the tool of that name: it is run for each of the
// backend's tool calls that name it, with the call's args decoded into Args. What
// fn returns goes back as the acknowledgement, if the backend asked for one;
// if not, in an event (Config.Tools.ResultEvent) with callId, toolName and
// result. An error, a panic and args that do not fit go back as {"error": "…"}, or as
// what a [*conn.ReplyError] says; in the event there is an error in place of the result. Once a client has
// tools, a call of one that it does not have is answered with an error.
//
// Calls run in goroutines of their own, up to Config.Tools.MaxConcurrent at a time. A
// call's ctx ends when its request is aborted, from this side or by somebody
// else where the backend passes that on; when the request has failed, by an AIError or
// in its [Stream]; when the tool is removed or replaced; with the client; and, where an
// acknowledgement is wanted, with the session. What it comes to after that
// still goes back as the acknowledgement, and not as an event. The returned func
// removes the tool.
//
// While a tool runs for the answer of a [Stream], its idle timeout is paused.
func HandleTool[Args, Result any](c *Client, name string, fn func(ctx context.Context, args Args) (Result, error)) (remove func()) {
	return c.tools.add(name, func(ctx context.Context, raw json.RawMessage) (any, error) {
		var args Args
		if err := jsonv2.Unmarshal(raw, &args, jsontext.AllowInvalidUTF8(true), jsonv2.MatchCaseInsensitiveNames(true)); err != nil {
			return nil, fmt.Errorf("args of tool %q: %w", name, err)
		}
		return fn(ctx, args)
	})
}

// toolbox holds the tools of a client, and the calls that run.
type toolbox struct {
	client *Client
	count  atomic.Int32  // of tools, so that the reader need not lock when there are none
	slots  chan struct{} // holds a value for each call that runs

	mu    sync.Mutex
	tools map[string]*tool
	calls map[*toolCall]struct{} // running or waiting
	full  bool                   // the last one was dropped
}

type tool struct {
	run    func(ctx context.Context, args json.RawMessage) (any, error)
	ctx    context.Context // ends when the tool is removed
	cancel context.CancelFunc
}

// toolCall is a call that has been accepted.
type toolCall struct {
	events.AIToolCall
	request string // that of the stream it belongs to, if to any
	partOf  bool   // it belongs to a stream
	ack     conn.Ack
	cancel  context.CancelFunc
	done    func() // resumes the idle timeout of the stream
}

func newToolbox(c *Client) *toolbox {
	return &toolbox{
		client: c,
		slots:  make(chan struct{}, c.cfg.Tools.MaxConcurrent),
		tools:  map[string]*tool{},
		calls:  map[*toolCall]struct{}{},
	}
}

func (b *toolbox) wanted() bool { return b.count.Load() > 0 }

func (b *toolbox) add(name string, run func(context.Context, json.RawMessage) (any, error)) (remove func()) {
	t := &tool{run: run}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	b.mu.Lock()
	defer b.mu.Unlock()
	if was := b.tools[name]; was != nil {
		was.cancel()
	}
	b.tools[name] = t
	b.count.Store(int32(len(b.tools)))
	return func() {
		t.cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.tools[name] == t {
			delete(b.tools, name)
			b.count.Store(int32(len(b.tools)))
		}
	}
}

// offer takes a call in, or hears that a request has failed. The stream is
// that of the event, nil for none. It is called by the connection's reader, and
// does not wait.
func (b *toolbox) offer(event events.Event, stream *Stream, ack conn.Ack) {
	switch event := event.(type) {
	case events.AIToolCall:
		b.accept(event, stream, ack)
	case events.AIError:
		if event.RequestID != "" {
			b.abort(events.Abort{RequestID: event.RequestID})
		}
	}
}

func (b *toolbox) accept(event events.AIToolCall, stream *Stream, ack conn.Ack) {
	b.mu.Lock()
	defer b.mu.Unlock()
	full := len(b.calls) >= b.client.cfg.Tools.MaxConcurrent+b.client.cfg.Tools.MaxPending
	if full && !b.full {
		b.client.log.Warn("chat: too many tool calls: they are dropped", "tool", event.ToolName)
	}
	if b.full = full; full {
		return
	}
	t := b.tools[event.ToolName]
	if t == nil {
		name := event.ToolName
		t = &tool{ctx: context.Background(), run: func(context.Context, json.RawMessage) (any, error) {
			return nil, fmt.Errorf("there is no tool %q", name)
		}}
	}
	ctx, cancel := context.WithCancel(t.ctx)
	call := &toolCall{AIToolCall: event, request: event.RequestID, ack: ack, cancel: cancel, done: func() {}}
	if stream != nil {
		call.request, call.done, call.partOf = stream.question.RequestID, stream.work(), true
	}
	b.calls[call] = struct{}{}
	go b.run(ctx, t, call) // ends with the call, which its ctx ends
}

// run waits for a slot, runs the tool, and brings the backend its result.
func (b *toolbox) run(ctx context.Context, t *tool, call *toolCall) {
	defer func() {
		call.cancel()
		call.done()
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.calls, call)
	}()
	if call.ack.Wanted() {
		defer context.AfterFunc(call.ack.Context(), call.cancel)()
	}
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil { // before it had a slot
		b.answer(ctx, call, nil, ctx.Err())
		return
	}
	if !call.partOf { // else it is part of what has begun
		done, err := b.client.conn.Begin()
		if err != nil {
			return // nobody is to begin anything any more
		}
		defer done()
	}
	result, err := b.protect(ctx, t, call)
	b.answer(ctx, call, result, err)
}

// answer brings the backend what a call has come to. One that waits for an
// acknowledgement gets it even if the call was aborted; for all others that is
// no result.
func (b *toolbox) answer(ctx context.Context, call *toolCall, result any, err error) {
	switch {
	case call.ack.Wanted():
		_ = call.ack.Reply(call.ack.Context(), result, err) // the session has ended
	case ctx.Err() == nil:
		b.report(ctx, call, result, err)
	}
}

// protect runs the tool, and makes an error of a panic.
func (b *toolbox) protect(ctx context.Context, t *tool, call *toolCall) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			b.client.log.Error("chat: tool has panicked", "tool", call.ToolName, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("tool %q has panicked", call.ToolName)
		}
	}()
	return t.run(ctx, call.Args)
}

// report sends the result to a backend that wants no acknowledgement.
func (b *toolbox) report(ctx context.Context, call *toolCall, result any, failure error) {
	name := func() string { return cmp.Or(b.client.cfg.Tools.ResultEvent, b.client.name(events.KeyAIToolResult)) }
	err := b.client.send(ctx, name, call.report(result, failure), nil)
	var failed *conn.SendError
	if errors.As(err, &failed) && !failed.MaybeSent && ctx.Err() == nil && failure == nil { // a result that cannot be encoded
		err = b.client.send(ctx, name, call.report(nil, failed.Err), nil)
	}
	if err != nil && ctx.Err() == nil { // aborted: nobody waits for it
		b.client.log.Warn("chat: the result of a tool was not sent", "tool", call.ToolName, "error", err)
	}
}

// report returns the own fields of the event that carries a result.
func (call *toolCall) report(result any, failure error) map[string]any {
	report := map[string]any{"callId": call.CallID, "toolName": call.ToolName}
	for name, id := range map[string]string{"requestId": call.RequestID, "traceId": call.TraceID} {
		if id != "" {
			report[name] = id
		}
	}
	if !call.ChatID.IsZero() {
		report["chatId"] = call.ChatID
	}
	var chosen *conn.ReplyError
	switch {
	case errors.As(failure, &chosen):
		report["error"] = chosen.Reply
	case failure != nil:
		report["error"] = failure.Error()
	default:
		report["result"] = result
	}
	return report
}

// active returns the number of calls that run or wait.
func (b *toolbox) active() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.calls)
}

// abort ends the calls that an abort is about.
func (b *toolbox) abort(a events.Abort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for call := range b.calls {
		if a.RequestID != "" && call.request == a.RequestID || a.RequestID == "" && sameChat(a.ChatID, call.ChatID) {
			call.cancel()
		}
	}
}

// close removes all tools, which ends their calls.
func (b *toolbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range b.tools {
		t.cancel()
	}
	clear(b.tools)
	b.count.Store(0)
	for call := range b.calls {
		call.cancel()
	}
}
