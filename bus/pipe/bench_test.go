package pipe_test

import (
	"context"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/seed67206a74/parley/bus/pipe"
)

// Package pipe beside equal hand-written loops: go test -bench . ./bus/pipe
//
// An operation is one value, from a buffered channel like that of a bus
// subscription. The hand-written loops give the same guarantees for channels
// and context, but do not recover panics.

func double(n int) int { return 2 * n }

func BenchmarkMap(b *testing.B) {
	b.Run("pipe", func(b *testing.B) {
		ctx, in := feed(b)
		for range pipe.Map(ctx, in, double) {
		}
	})
	b.Run("by hand", func(b *testing.B) {
		ctx, in := feed(b)
		for range mapByHand(ctx, in, double) {
		}
	})
}

func BenchmarkWorkers(b *testing.B) {
	work := func(_ context.Context, n int) error { return nil }
	b.Run("pipe", func(b *testing.B) {
		ctx, in := feed(b)
		if err := pipe.Workers(ctx, in, 4, work); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("by hand", func(b *testing.B) {
		ctx, in := feed(b)
		if err := workersByHand(ctx, in, 4, work); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkSharded(b *testing.B) {
	ctx, in := feed(b)
	key := func(n int) int { return n % 16 }
	if err := pipe.Sharded(ctx, in, 4, key, func(context.Context, int) error { return nil }); err != nil {
		b.Fatal(err)
	}
}

// feed returns a channel that delivers b.N values and closes.
func feed(b *testing.B) (context.Context, <-chan int) {
	b.ReportAllocs()
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	in := make(chan int, 128)
	go func() { // ends when all are read
		defer close(in)
		for n := range b.N {
			in <- n
		}
	}()
	return ctx, in
}

func mapByHand(ctx context.Context, in <-chan int, f func(int) int) <-chan int {
	out := make(chan int)
	go func() { // ends with in or ctx
		defer close(out)
		for {
			select {
			case v, ok := <-in:
				if !ok {
					return
				}
				select {
				case out <- f(v):
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func workersByHand(ctx context.Context, in <-chan int, n int, f func(context.Context, int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for range n {
		g.Go(func() error {
			for {
				select {
				case v, ok := <-in:
					if !ok {
						return nil
					}
					if err := f(ctx, v); err != nil {
						return err
					}
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		})
	}
	return g.Wait()
}
