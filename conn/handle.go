package conn

import (
	"context"
	"errors"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/internal/guard"
	"golang.org/x/sync/errgroup"
)

// errHandlerPanicked is the error that the server receives.
var errHandlerPanicked = errors.New("handler has panicked")

// maxHandled limits the events that one handler processes at the same time.
const maxHandled = 64

// Handle calls fn with the first argument of each event of the given name. If
// the server asked for an acknowledgement, it receives the result of fn: the
// reply or, after an error, {"error": "…"} with its text. A [*ReplyError] in
// the error sets another reply. A reply of type [Args] is sent as several
// arguments. A panic is logged, and the server receives an error without its
// text. A payload that does not fit Req is published on c.DecodeErrors. fn is
// not called, and the acknowledgement is the error.
//
// Each call of fn has its own goroutine. At most 64 run at the same time, and
// up to bus.DefaultLimit further events wait; beyond that, events are dropped,
// which is logged. The ctx of fn ends when the handler is removed or c is
// closed. If the server asked for an acknowledgement, ctx also ends with the
// session of the event. After that the reply is not sent, and waiting events
// are not handled.
//
// The returned func removes the handler. Subscriptions to the same name receive
// the event as well. If several handlers reply, the server uses the first
// reply.
func Handle[Req, Reply any](c *Conn, name string, fn func(context.Context, Req) (Reply, error)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	h := &handler[Req]{cancel: cancel}
	h.calls.Name, h.calls.Logger, h.calls.OnSlow = name, c.log, c.onSlow()
	calls := h.calls.Chan(ctx, bus.Name("handler of "+name), bus.OnOverflow(bus.DropNewest))

	go func() { // ends with ctx
		var running errgroup.Group
		running.SetLimit(maxHandled)
		for call := range calls {
			running.Go(func() error {
				if ctx.Err() != nil || call.session().Err() != nil {
					return nil // the handler was removed or the session has ended
				}
				ctx, release, err := c.Hold(ctx)
				if err != nil {
					return nil // Shutdown has begun
				}
				defer release()
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				defer context.AfterFunc(call.session(), cancel)()
				var reply any
				guard.Then(func() (err error) {
					if call.err != nil {
						return call.err
					}
					reply, err = fn(ctx, call.request)
					return err
				}, func(err error) { c.reply(ctx, name, call.ack, reply, err) })
				return nil
			})
		}
	}()

	route := []Route{{name, h}}
	c.UpdateRoutes(nil, route)
	return func() {
		c.UpdateRoutes(route, nil)
		h.Close()
	}
}

// reply acknowledges an event with the result of a handler. The encoding of the
// reply may call a function of the user, which may panic too.
func (c *Conn) reply(ctx context.Context, name string, ack Ack, reply any, err error) {
	guard.Then(func() error {
		return ack.Reply(ctx, reply, c.withoutPanic(name, err))
	}, func(err error) { // other errors mean that the session has ended
		if failed := c.withoutPanic(name, err); failed == errHandlerPanicked {
			_ = ack.Reply(ctx, nil, failed)
		}
	})
}

// withoutPanic returns the error that the server receives. It logs a panic.
func (c *Conn) withoutPanic(name string, err error) error {
	var panicked *bus.PanicError
	if errors.As(err, &panicked) {
		c.logPanic(name, panicked)
		return errHandlerPanicked
	}
	return err
}

// handler is the listener behind Handle.
type handler[Req any] struct {
	calls  bus.Topic[handlerCall[Req]]
	cancel context.CancelFunc
}

// handlerCall is an event that waits for its handler.
type handlerCall[Req any] struct {
	request Req
	ack     Ack
	err     error // if the payload was not decoded
}

// session returns the context that limits the call. A call without an
// acknowledgement is independent of its session.
func (h handlerCall[Req]) session() context.Context {
	if !h.ack.Wanted() {
		return context.Background()
	}
	return h.ack.Context()
}

func (h *handler[Req]) Active() bool { return true }
func (h *handler[Req]) Close()       { h.cancel() }

func (h *handler[Req]) Receive(ctx context.Context, p Payload) error {
	call := handlerCall[Req]{ack: p.Ack()}
	err := p.Decode(&call.request)
	switch {
	case err == ErrNoPayload:
		err = nil
	case Unreadable(err):
		call.err = err
	}
	if call.err == nil || call.ack.Wanted() {
		_ = h.calls.PublishSized(ctx, call, p.Memory()) // no subscription blocks
	}
	return err
}
