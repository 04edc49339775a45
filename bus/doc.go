// Package bus fans values out onto Go channels.
//
// A [Topic] is published on, a [Subscription] is one reader's channel, and a
// [Source] is the half of a topic that can be shown to others:
//
//	var prices bus.Topic[int]
//
//	c := prices.Chan(ctx)
//	go func() {
//		defer prices.Close()
//		prices.Publish(1)
//		prices.Publish(2)
//	}()
//	for p := range c { // ends with the topic, or with ctx
//		fmt.Println(p)
//	}
//
// # What a reader can rely on
//
//   - Values published by one goroutine arrive in that order, each once. What
//     several publish at the same time, each subscription takes one after the
//     other, in an order of its own; its lock is held for a send that does not
//     wait, and never while a reader is waited for, a function of the user's
//     runs, or something is logged. There is no order between two channels
//     in one select.
//   - The channel is closed exactly once, whatever ends the subscription: its
//     context, Close, the end of the topic, or its [Policy]. Once it is closed,
//     [Subscription.Err] says which.
//   - When the context ends or the subscription is closed, what is in the
//     channel's buffer can still be read and nothing is added to it. When
//     the topic closes or the subscription fails, all that waits is delivered
//     before the channel closes.
//   - A slow subscription delays no other, and under any policy but [Block] it
//     does not delay the publisher either.
//   - Nothing here deadlocks on being called from a receiving goroutine or in
//     the middle of a publish: not Subscribe, not Close, not Publish. The one
//     wait there is, under Block, is the reader's own to end: whoever is
//     the only reader of a full Block subscription must not publish without a
//     context.
//
// # What it costs
//
// Publish runs in the caller's goroutine. While readers keep up it takes one
// uncontended lock and one channel send for each, allocates nothing, and no
// other goroutine is involved. What does not fit into a channel (of 128 values
// at most) spills into a queue that grows in small chunks up to the
// subscription's limit, and the topic keeps emptied chunks for the next time
// until the garbage collector asks for them. A goroutine moves the queue into the
// channel and ends when it is empty. It also ends with the subscription, so to leave no goroutine
// behind, end the context, close the subscription or read to the end.
//
// # Slow readers
//
// At its limit, [DefaultLimit] unless [Limit] says otherwise, a subscription
// does what its policy says: [Fail], the default, ends it with
// [ErrSlowConsumer]; [Block] makes the publisher wait; [DropOldest] and
// [DropNewest] drop. [LimitBytes] limits the sum of the values' sizes as well.
// [Subscription.Stats] counts.
//
// A reader that needs only some of the values says so with [Filter]: the others
// take no room. A subscription with such functions of its own costs somewhat
// more for each value, with or without a backlog.
// One that needs only the newest state of each thing uses [Conflate]: its
// backlog never holds two values of one key.
//
// The first value that finds it at the limit is logged as a warning; that it
// has caught up is logged at Info with the first value that finds nothing
// waiting. In between there is silence. Both name the topic, and the
// subscription by its [Name] or by the line that subscribed. Logging happens
// in a publisher's goroutine, under no lock. [Topic.OnSlow] is told the same as a
// value, and [Topic.Stats] says how many are slow at the moment.
package bus
