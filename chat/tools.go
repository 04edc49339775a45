package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
	cfg  Tools
	log  *slog.Logger
	hold func(ctx context.Context) (held context.Context, release func(), err error) // conn.Conn.Hold
	send func(ctx context.Context, result any) error                                 // sends a result as an event

	count atomic.Int32  // of tools; spares the reader the lock when it is 0
	slots chan struct{} // holds a value for each call that runs; taken while no lock is held

	mu    sync.Mutex // no other lock is taken while it is held
	tools map[string]*tool
	calls map[*toolCall]struct{} // running or waiting
	full  bool                   // the last call was dropped
}

type tool struct {
	run    func(ctx context.Context, args json.RawMessage) (any, error)
	ctx    context.Context // ends when the tool is removed
	cancel context.CancelFunc
}

// toolCall is a call that has been accepted.
type toolCall struct {
	events.AIToolCall
	run     func(ctx context.Context, args json.RawMessage) (any, error)
	request string // of the stream that it belongs to, or its own
	ack     conn.Ack
	cancel  context.CancelFunc
	release func() // ends the work, for the stream and for Shutdown
}

func newToolbox(cfg Tools, log *slog.Logger,
	hold func(context.Context) (context.Context, func(), error), send func(context.Context, any) error) *toolbox {
	return &toolbox{
		cfg: cfg, log: log, hold: hold, send: send,
		slots: make(chan struct{}, cfg.MaxConcurrent), tools: map[string]*tool{}, calls: map[*toolCall]struct{}{},
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

// offer accepts a call, or cancels the calls of a request that has failed. The
// stream is that of the event, nil for none. It is called by the connection's
// reader, and does not block.
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

// accept starts a call. A call that belongs to a stream is part of its work, and
// begins during Shutdown, too; any other call is work of its own.
func (b *toolbox) accept(event events.AIToolCall, stream *Stream, ack conn.Ack) {
	call := &toolCall{AIToolCall: event, request: event.RequestID, ack: ack}
	ctx := context.Background()
	if stream != nil {
		call.request = stream.question.RequestID
		ctx = context.WithoutCancel(stream.ctx)
	}
	ctx, release, err := b.hold(ctx)
	if err != nil {
		return // Shutdown has begun
	}
	call.release = release
	if stream != nil {
		done := stream.work()
		call.release = func() { done(); release() }
	}
	started, first := b.start(ctx, call)
	if !started {
		call.release()
	}
	if first {
		b.log.Warn("chat: too many tool calls: they are dropped", "tool", event.ToolName)
	}
}

// start runs a call, unless too many wait already. first reports whether the call
// before this one was not dropped.
func (b *toolbox) start(ctx context.Context, call *toolCall) (started, first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wasFull := b.full
	if b.full = len(b.calls) >= b.cfg.MaxConcurrent+b.cfg.MaxPending; b.full {
		return false, !wasFull
	}
	ctx, call.cancel = context.WithCancel(ctx)
	if t := b.tools[call.ToolName]; t != nil {
		call.run = t.run
		unlink, cancel := context.AfterFunc(t.ctx, call.cancel), call.cancel
		call.cancel = func() { unlink(); cancel() }
	} else {
		call.run = func(context.Context, json.RawMessage) (any, error) {
			return nil, fmt.Errorf("there is no tool %q", call.ToolName)
		}
	}
	b.calls[call] = struct{}{}
	go b.serve(ctx, call) // ends with the call, which its ctx ends
	return true, false
}

// serve waits for a slot, runs the tool and sends its result.
func (b *toolbox) serve(ctx context.Context, call *toolCall) {
	defer func() {
		call.cancel()
		call.release()
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
	result, err := b.protect(ctx, call)
	b.answer(ctx, call, result, err)
}

// answer sends the result of a call. A call that wants an acknowledgement gets
// one even if it was aborted; any other call has no result then.
func (b *toolbox) answer(ctx context.Context, call *toolCall, result any, err error) {
	switch {
	case call.ack.Wanted():
		_ = call.ack.Reply(call.ack.Context(), result, err) // fails when the session has ended
	case ctx.Err() == nil:
		b.report(ctx, call, result, err)
	}
}

// protect runs the tool, and returns an error for a panic.
func (b *toolbox) protect(ctx context.Context, call *toolCall) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			b.log.Error("chat: tool has panicked", "tool", call.ToolName, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("tool %q has panicked", call.ToolName)
		}
	}()
	return call.run(ctx, call.Args)
}

// report sends the result to a backend that wants no acknowledgement.
func (b *toolbox) report(ctx context.Context, call *toolCall, result any, failure error) {
	err := b.send(ctx, call.report(result, failure))
	var failed *conn.SendError
	if errors.As(err, &failed) && !failed.MaybeSent && ctx.Err() == nil && failure == nil { // the result cannot be encoded
		err = b.send(ctx, call.report(nil, failed.Err))
	}
	if err != nil && ctx.Err() == nil { // otherwise the call was aborted
		b.log.Warn("chat: the result of a tool was not sent", "tool", call.ToolName, "error", err)
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
