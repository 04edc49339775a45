// Package pipe composes channels: stages that turn one channel into another,
// and loops that hand what a channel delivers to workers.
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
// The stages are [Map], [FlatMap], [Filter], [Merge], [Tee], [Batch],
// [Window], [Throttle], [Debounce] and [FromSeq]: they return at once, and
// work in a goroutine of their own. The ends are [Workers], [Sharded],
// [Collect], [First] and [Seq]: they work until they are done.
//
// # What a pipeline can rely on
//
//   - A stage closes its output when its input has closed and all that was
//     read is delivered, or when its context ends. Its goroutines end then
//     too; nothing else ends them. So a reader that leaves early ends the
//     context, or whoever feeds it waits for ever.
//   - Order is kept: what a stage sends is in the order of what it received.
//     [Merge] keeps the order of each of its inputs, [Sharded] that of each
//     key; [Workers] keeps none.
//   - Once the context has ended, values on their way may be lost, and no
//     reader learns which.
//   - Outputs have no buffer: beyond what its purpose makes it gather, a stage
//     has one value in hand, and a slow reader slows what feeds it. Slack is
//     for the source to have, as the subscriptions of package bus do.
//   - A nil channel never yields: a stage that reads one closes with its
//     context.
//   - A count below 1 counts as 1. Durations of 0 and less are told by each
//     function that takes one.
//
// Every function may be called from anywhere, at any time, and an input may
// have other readers: each value goes to one of them.
//
// # Errors and panics
//
// [Workers] and [Sharded] return the first error of their functions, after
// every call has returned. Like [Collect], they return nil only when the input
// closed before the context ended, so that a pipeline that was cut short does
// not pass for one that finished.
//
// A function that panics does not take the program down. In [Workers] and
// [Sharded] its panic is the error, a [*PanicError]. A stage has no error to
// return: it drops the value whose function panicked, logs the panic with its
// stack to [slog.Default], and goes on. Where no value may be missing, begin
// the pipeline with [WithCancelOnPanic]: a panic in any of its stages then
// ends all of them, and the end returns it.
//
// # Why not a library
//
// [Workers] and [Sharded] stand on golang.org/x/sync/errgroup, which knows the
// first error and the context, and leaves panics alone. For the rest these were
// looked at; none keeps all of the promises above:
//
//   - destel/rill is the nearest: functions over plain channels, with errors
//     beside the values. Its stages end with their input alone, and an end that
//     leaves early goes on draining it in the background, so every source has to
//     close; a panic in a function ends the program. It has no pace (throttle,
//     debounce, window) and no workers by key.
//   - sourcegraph/conc has pools with a context and a first error, and results in
//     the order of their tasks, but no stages over channels and no keys. A panic
//     is raised again by Wait.
//   - reugn/go-streams has most of the stages, windows too, over channels of any.
//     They take no context and end with their source.
//   - samber/ro has many more operators, on observables that call their
//     observers, not on channels to select on, and no workers by key.
package pipe
