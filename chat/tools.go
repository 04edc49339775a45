package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/guard"
)

// Defaults of [Tools].
const (
	DefaultMaxConcurrentTools = 16
	DefaultMaxPendingTools    = 1024
)

// Tools configures the tools of [HandleTool].
type Tools struct {
	// MaxConcurrent limits how many calls run at the same time. Default:
	// DefaultMaxConcurrentTools.
	MaxConcurrent int

	// MaxPending limits how many calls wait. Further calls are dropped, which
	// is logged once until a call is accepted again. So are calls that would
	// bring the memory of all calls above 16 MiB. Default:
	// DefaultMaxPendingTools.
	MaxPending int

	// ResultEvent is the event that carries a result if the backend did not ask
	// for an acknowledgement. Default: the current name of
	// events.KeyAIToolResult.
	ResultEvent string
}

func (t *Tools) setDefaults() {
	setDefault(&t.MaxConcurrent, DefaultMaxConcurrentTools)
	setDefault(&t.MaxPending, DefaultMaxPendingTools)
}

// HandleTool adds a tool, or replaces the tool of the same name. fn runs for
// each tool call of the backend with that name. It gets the call's args,
// decoded into Args as by [conn.Payload.Decode]. A call without args gets the
// zero Args. [ToolCallFromContext] returns the call itself. The returned func
// removes the tool. HandleTool is a function, because a method of Client cannot
// have type parameters.
//
// The result of fn is the acknowledgement if the backend asked for one.
// Otherwise it is sent in an event (Config.Tools.ResultEvent) with callId,
// toolName and result. An error, a panic and args of the wrong type are sent as
// {"error": "…"}, or as the reply of a [*conn.ReplyError]. In that case the
// event has a field error instead of result. If a client has any tool, a call
// of an unknown tool gets an error. So does a call that cannot be read, if the
// backend asked for an acknowledgement.
//
// Each call runs in its own goroutine, up to Config.Tools.MaxConcurrent at the
// same time. The ctx of a call ends when
//   - its request is aborted by this client, or by another member if the
//     backend forwards the abort
//   - its request fails, by an AIError or in its [Stream]
//   - the tool is removed or replaced, or the client is closed
//   - the session ends, if the backend asked for an acknowledgement
//
// After that the result is still sent as the acknowledgement, but not as an
// event.
//
// While a tool runs for the answer of a [Stream], the stream's idle timeout is
// paused.
func HandleTool[Args, Result any](c *Client, name string, fn func(ctx context.Context, args Args) (Result, error)) (remove func()) {
	return c.tools.add(name, func(ctx context.Context, raw json.RawMessage) (any, error) {
		var args Args
		event := conn.Event{Args: conn.Args{raw}}
		if err := event.Decode(0, &args); err != nil {
			return nil, fmt.Errorf("args of tool %q: %w", name, err)
		}
		return fn(ctx, args)
	})
}

type toolCallKey struct{}

// ToolCallFromContext returns the call that a function of [HandleTool] runs
// for, from the function's ctx. Its RequestID is that of the [Stream] if the
// backend left it out, and so is its ChatID. ok is false for any other ctx.
func ToolCallFromContext(ctx context.Context) (call events.AIToolCall, ok bool) {
	call, ok = ctx.Value(toolCallKey{}).(events.AIToolCall)
	return call, ok
}

// toolbox holds the tools of a client, and the calls that run.
type toolbox struct {
	cfg       Tools
	log       *slog.Logger
	observers *observers // nil for none

	// hold is conn.Conn.Hold.
	hold func(ctx context.Context) (held context.Context, release func(), err error)

	// send sends a result as an event.
	send func(ctx context.Context, result any) error

	count atomic.Int32  // number of tools; at 0 the reader does not lock
	slots chan struct{} // holds a value for each running call; taken while no lock is held

	mu    sync.Mutex // no other lock is taken while it is held
	tools map[string]*tool
	calls map[*toolCall]struct{} // running or waiting
	bytes int                    // the memory of calls
	full  bool                   // the last call was dropped
}

type tool struct {
	run    func(ctx context.Context, args json.RawMessage) (any, error)
	ctx    context.Context // ends when the tool is removed
	cancel context.CancelFunc
}

// toolCall is a call that has been accepted.
type toolCall struct {
	events.AIToolCall // with the request id and chat of its stream
	unreadable        error
	run               func(ctx context.Context, args json.RawMessage) (any, error)
	ack               conn.Ack
	cancel            context.CancelFunc
	release           func() // ends the work for the stream and for Shutdown
}

// memory estimates the memory of the call while it runs or waits.
func (c *toolCall) memory() int { return goroutineMemory + toolCallMemory(c.AIToolCall) }

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

// offer accepts a call, or cancels the calls of a request that has failed.
// stream is the stream of the event, or nil. offer is called by the
// connection's reader, and does not block.
func (b *toolbox) offer(event events.Event, stream *Stream, ack conn.Ack) {
	switch event := event.(type) {
	case events.AIToolCall:
		b.accept(&toolCall{AIToolCall: event, ack: ack}, stream)
	case events.AIError:
		if event.RequestID != "" {
			b.abort(events.Abort{RequestID: event.RequestID})
		}
	}
}

// refuse acknowledges a tool call that cannot be read with the error.
func (b *toolbox) refuse(event events.Event, ack conn.Ack, err error) {
	if call, ok := event.(events.AIToolCall); ok && ack.Wanted() {
		call.RequestID = "" // the end of its stream does not cancel it
		b.accept(&toolCall{AIToolCall: call, ack: ack, unreadable: err}, nil)
	}
}

// accept starts a call. A call of a stream is part of the stream's work, and
// also starts during Shutdown. Any other call is separate work.
func (b *toolbox) accept(call *toolCall, stream *Stream) {
	ctx := context.Background()
	if stream != nil {
		call.RequestID = stream.question.RequestID
		setDefault(&call.ChatID, stream.question.ChatID)
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
		b.log.Warn("chat: too many tool calls: they are dropped", "tool", call.ToolName)
	}
}

// start runs a call, unless too many already wait. Then it drops the call, and
// first reports whether the previous call was not dropped.
func (b *toolbox) start(ctx context.Context, call *toolCall) (started, first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wasFull := b.full
	size := call.memory()
	b.full = len(b.calls) >= b.cfg.MaxConcurrent+b.cfg.MaxPending || len(b.calls) > 0 && b.bytes+size > maxBytes
	if b.full {
		return false, !wasFull
	}
	b.bytes += size
	ctx, call.cancel = context.WithCancel(ctx)
	if call.unreadable != nil {
		call.run = func(context.Context, json.RawMessage) (any, error) { return nil, call.unreadable }
	} else if t := b.tools[call.ToolName]; t != nil {
		call.run = t.run
		unlink, cancel := context.AfterFunc(t.ctx, call.cancel), call.cancel
		call.cancel = func() { unlink(); cancel() }
	} else {
		call.run = func(context.Context, json.RawMessage) (any, error) {
			return nil, fmt.Errorf("there is no tool %q", call.ToolName)
		}
	}
	b.calls[call] = struct{}{}
	go b.serve(ctx, call) // ends when the tool has returned; ctx cancels the tool
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
		b.bytes -= call.memory()
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
	var result any
	observed := ctx
	guard.Then(func() (err error) {
		observed = b.observers.onToolStart(ctx, call.AIToolCall)
		result, err = call.run(context.WithValue(observed, toolCallKey{}, call.AIToolCall), call.Args)
		return err
	}, func(err error) {
		defer b.answer(ctx, call, result, err) // also if an observer calls runtime.Goexit
		b.observers.onToolEnd(observed, call.AIToolCall, result, err)
	})
}

// answer sends the result of a call. The encoding of the result may call a
// function of the user, which may panic too.
func (b *toolbox) answer(ctx context.Context, call *toolCall, result any, err error) {
	guard.Then(func() error {
		b.sendResult(ctx, call, result, b.withoutPanic(call, err))
		return nil
	}, func(err error) {
		if err != nil {
			b.sendResult(ctx, call, nil, b.withoutPanic(call, err))
		}
	})
}

// sendResult sends the result of a call. After an abort, only a call with an
// acknowledgement still gets its result.
func (b *toolbox) sendResult(ctx context.Context, call *toolCall, result any, err error) {
	switch {
	case call.ack.Wanted():
		_ = call.ack.Reply(call.ack.Context(), result, err) // fails when the session has ended
	case ctx.Err() == nil:
		b.report(ctx, call, result, err)
	}
}

// withoutPanic returns the error that the backend receives. It logs a panic.
func (b *toolbox) withoutPanic(call *toolCall, err error) error {
	var panicked *bus.PanicError
	if !errors.As(err, &panicked) {
		return err
	}
	guard.Log(b.log, panicked, "chat: tool has panicked", "tool", call.ToolName)
	return fmt.Errorf("tool %q has panicked", call.ToolName)
}

// report sends the result of a call without an acknowledgement.
func (b *toolbox) report(ctx context.Context, call *toolCall, result any, failure error) {
	err := b.send(ctx, call.report(result, failure))
	var failed *conn.SendError
	if errors.As(err, &failed) && !failed.MaybeSent && ctx.Err() == nil && failure == nil {
		// The result cannot be encoded: report that instead.
		err = b.send(ctx, call.report(nil, failed.Err))
	}
	if err != nil && ctx.Err() == nil { // otherwise the call was aborted
		b.log.Warn("chat: the result of a tool was not sent", "tool", call.ToolName, "error", err)
	}
}

// report returns the event's own fields for a result.
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

// abort cancels the calls of an abort.
func (b *toolbox) abort(a events.Abort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for call := range b.calls {
		if a.RequestID != "" && call.RequestID == a.RequestID || a.RequestID == "" && sameChat(a.ChatID, call.ChatID) {
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
