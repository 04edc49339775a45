// Package pipe composes channels. Stages turn one channel into another. Sinks
// consume the values of a channel.
//
//	ctx, cancel := context.WithCancel(ctx)
//	defer cancel() // ends every stage
//
//	words := pipe.FromSeq(ctx, strings.FieldsSeq("the quick brown fox jumps"))
//	long := pipe.Filter(ctx, words, func(w string) bool { return len(w) > 3 })
//	err := pipe.Workers(ctx, long, 8, func(_ context.Context, w string) error {
//		_, err := fmt.Println(w) // in any order
//		return err
//	})
//
// The stages are [Map], [FlatMap], [Filter], [Through], [Merge], [Tee],
// [Batch], [Window], [Throttle], [Debounce], [FromSeq] and [FromSeq2]. They
// return at once, and run in a goroutine. The sinks are [Workers], [Sharded],
// [Collect], [First] and [Seq]. They block the caller until they are done.
//
// # Guarantees
//
//  1. A stage closes its output when its input has closed and every received
//     value is sent, or when its context ends. Its goroutines end then too;
//     nothing else ends them. A reader that stops early must end the context,
//     or the stages before it block for ever.
//  2. A stage sends values in the order in which it received their sources.
//     [Merge] keeps the order of each of its inputs, [Sharded] that of each
//     key. [Workers] keeps no order.
//  3. After the context has ended, values in the pipeline may be lost without
//     notice.
//  4. Outputs have no buffer. A stage holds one value, or those of a batch or
//     window, so a slow reader slows the stages before it. Subscriptions of
//     package bus have a buffer.
//  5. A stage that reads a nil channel closes its output when its context ends.
//  6. A count below 1 counts as 1. Each function that takes a duration
//     documents the effect of 0 and less.
//
// Every function is safe for concurrent use. An input may have other readers:
// each value goes to one of them.
//
// # Errors and panics
//
// [Workers] and [Sharded] return the first error of their functions, after
// every call has returned. Like [Collect], they return nil only when the input
// closed before the context ended. So nil means that the pipeline is complete.
//
// A panic in a function does not end the program. [Workers] and [Sharded]
// return it as a [*bus.PanicError]. A stage has no error to return: it drops
// the value whose function panicked, logs the panic with its stack to
// [slog.Default], and continues. If no value may be missing, start the pipeline
// with [WithCancelOnPanic]: a panic in any of its stages then ends all of them,
// and the sink returns it.
//
// # Why not a library
//
// [Workers] and [Sharded] use golang.org/x/sync/errgroup for the first error
// and the context. It does not recover panics. For the rest these libraries
// were considered; none gives all of the guarantees above:
//
//   - destel/rill is the nearest: functions over plain channels, with errors
//     beside the values. Its stages end with their input only. A sink that
//     stops early drains its input in the background, so every source has to
//     close. A panic in a function ends the program. It has no throttle,
//     debounce or window, and no workers by key.
//   - sourcegraph/conc has pools with a context and a first error, and results
//     in the order of their tasks, but no stages over channels and no keys.
//     Wait panics again.
//   - reugn/go-streams has most of the stages, windows too, over channels of
//     any. They take no context and end with their source.
//   - samber/ro has many more operators, on observables that call their
//     observers, not on channels to select on. It has no workers by key.
package pipe
