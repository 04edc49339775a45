package pipe

import (
	"context"
	"hash/maphash"

	"golang.org/x/sync/errgroup"
)

// shardQueue is how many values may wait for one worker of [Sharded].
const shardQueue = 64

// Sharded calls f for each value of in, in n workers. Values of the same key go
// to the same worker, one after the other in the order in which they came;
// different keys run in parallel. It returns when and what [Workers] does; a
// panic in key is an error like one in f.
//
// Keys are spread over the workers by a hash that differs from one call of
// Sharded to the next. Up to 64 values wait for each worker, so a slow key
// holds up the keys that share its worker, and the others only from the moment
// when 64 values wait for it and one more comes: then nothing is taken from in
// until there is room.
func Sharded[T any, K comparable](
	ctx context.Context, in <-chan T, n int, key func(T) K, f func(context.Context, T) error,
) error {
	g, calls := errgroup.WithContext(ctx)
	queues := make([]chan T, max(n, 1))
	for i := range queues {
		queues[i] = make(chan T, shardQueue)
		start(g, func() error { return work(ctx, calls, queues[i], f) })
	}
	start(g, func() error {
		defer func() {
			for _, queue := range queues {
				close(queue)
			}
		}()
		seed := maphash.MakeSeed()
		for v := range Seq(calls, in) {
			shard := maphash.Comparable(seed, key(v)) % uint64(len(queues))
			send(calls, queues[shard], v)
		}
		return nil // the workers say how it ended
	})
	return outcome(ctx, g.Wait())
}
