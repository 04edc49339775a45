package main

import (
	"context"
	"errors"
	"time"

	"github.com/zishang520/socket.io/clients/engine/v3"
	"github.com/zishang520/socket.io/clients/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
	"golang.org/x/sync/errgroup"
)

// connectTimeout is the time after which the zishang520 client connects again:
// it can miss the open packet of a fast server.
const connectTimeout = 3 * time.Second

// runTimeout is the time after which a run is repeated: the client can lose an
// event or an acknowledgement, and then waits for ever.
const runTimeout = 20 * time.Second

// withZishang runs f with a connected zishang520 client, up to five times. f
// waits until its ctx ends.
func withZishang(ctx context.Context, to target, f func(ctx context.Context, s *socket.Socket) (result, error)) (result, error) {
	err := errors.New("not connected")
	for range 5 {
		options := socket.DefaultOptions()
		options.SetTransports(types.NewSet[engine.TransportCtor](&engine.WebSocketBuilder{}))
		options.SetForceNew(true)
		options.SetReconnection(false)
		if to.secure {
			options.SetTLSClientConfig(anyCertificate)
		}
		s, err := socket.Connect(to.url, options)
		if err != nil {
			return result{}, err
		}
		connected := make(chan struct{})
		_ = s.On("connect", func(...any) { close(connected) })
		select {
		case <-connected:
			within, cancel := context.WithTimeout(ctx, runTimeout)
			var r result
			r, err = f(within, s)
			cancel()
			s.Disconnect()
			if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
				return r, err
			}
		case <-time.After(connectTimeout):
			s.Disconnect()
		case <-ctx.Done():
			s.Disconnect()
			return result{}, ctx.Err()
		}
	}
	return result{}, err
}

func zishangSend(ctx context.Context, to target, n int) (result, error) {
	return withZishang(ctx, to, func(ctx context.Context, s *socket.Socket) (result, error) {
		started, done := make(chan struct{}), make(chan bool, 1)
		_ = s.On("go", func(...any) { close(started) })
		_ = s.On("done", func(args ...any) { inOrder, _ := args[0].(bool); done <- inOrder })
		if err := s.Emit("count", n); err != nil {
			return result{}, err
		}
		select {
		case <-started:
		case <-ctx.Done():
			return result{}, ctx.Err()
		}
		return measured(n, func() (bool, error) {
			for i := range n {
				if err := s.Emit("user:message", fields(i)); err != nil {
					return false, err
				}
			}
			return await(ctx, done)
		})
	})
}

func zishangCall(inFlight int) runFunc {
	return func(ctx context.Context, to target, n int) (result, error) {
		return withZishang(ctx, to, func(ctx context.Context, s *socket.Socket) (result, error) {
			return measured(n, func() (bool, error) {
				var all errgroup.Group
				for range inFlight {
					all.Go(func() error {
						reply := make(chan bool, 1)
						for i := range n / inFlight {
							s.EmitWithAck("echo", i)(func([]any, error) { reply <- true })
							if _, err := await(ctx, reply); err != nil {
								return err
							}
						}
						return nil
					})
				}
				return true, all.Wait()
			})
		})
	}
}

func zishangReceive(ctx context.Context, to target, n int) (result, error) {
	return withZishang(ctx, to, func(ctx context.Context, s *socket.Socket) (result, error) {
		done := make(chan bool, 1)
		next, inOrder := 0, true
		_ = s.On("ai:token", func(args ...any) {
			token, _ := args[0].(map[string]any)
			index, _ := token["index"].(float64)
			inOrder = inOrder && int(index) == next
			if next++; next == n {
				done <- inOrder
			}
		})
		return measured(n, func() (bool, error) {
			if err := s.Emit("blast", n); err != nil {
				return false, err
			}
			return await(ctx, done)
		})
	})
}

func await(ctx context.Context, done <-chan bool) (bool, error) {
	select {
	case inOrder := <-done:
		return inOrder, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
