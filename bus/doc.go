// Package bus fans values out onto Go channels.
//
// Values are published on a [Topic]. A [Subscription] delivers them to one
// reader, on a channel. A [Source] is the subscribing half of a topic, for code
// that must not publish on it.
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
// # Guarantees
//
//  1. Each subscription receives the values of one publisher in their order,
//     each once. Values of several concurrent publishers arrive in an order
//     that may differ between subscriptions. The order between two channels in
//     one select is not defined.
//  2. The channel closes exactly once, when the subscription ends: by its
//     context, Close, the end of the topic, or its [Policy]. [Subscription.Err]
//     then returns the reason.
//  3. When the context ends or the subscription is closed, the values in the
//     channel's buffer can still be received, and no more are added. When the
//     topic closes or the subscription fails, all pending values are delivered
//     before the channel closes.
//  4. A slow subscription does not delay other subscriptions. It delays the
//     publisher only under [Block].
//  5. Subscribe, Close and Publish may be called from a receiving goroutine or
//     during a publish without deadlock. The one exception: the only reader of
//     a full Block subscription must not publish without a context.
//  6. No lock is held while a publisher waits for a reader, a user's function
//     runs, or an entry is logged.
//
// # Cost
//
// Publish runs in the caller's goroutine. For each reader that keeps up it
// takes one uncontended lock and one channel send. It allocates nothing and
// involves no other goroutine.
//
// A channel buffers 128 values at most. Further values go to a queue that grows
// in small chunks up to the subscription's limit. The topic keeps emptied
// chunks for reuse until the garbage collector frees them. A goroutine moves
// the queue into the channel. It ends when the queue is empty or the
// subscription ends. To leave no goroutine behind, end the context, close the
// subscription or receive until the channel closes.
//
// # Slow readers
//
// A subscription's limit is [DefaultLimit] unless [Limit] sets another. At the
// limit its policy decides: [Fail], the default, ends it with
// [ErrSlowConsumer]; [Block] makes the publisher wait; [DropOldest] and
// [DropNewest] drop values. The sum of the values' sizes is limited as well, by
// [LimitBytes] or to [DefaultLimitBytes]. A limit holds under every combination
// of options. [Subscription.Stats] returns the counts.
//
// [Filter] delivers only some of the values; the others take no room.
// [Conflate] keeps only the latest pending value of each key. Each of these
// functions adds some cost to every value, with or without a backlog.
//
// A subscription becomes slow when a value is published while it is at its
// limit. It has caught up when a value is published while no other is pending.
// The first change is logged as a warning, the second at Info, and nothing is
// logged between the two. Both entries have the topic's name, and the
// subscription's [Name] or the file and line that subscribed. Publishers log in
// their own goroutines, under no lock. [Topic.OnSlow] receives the same as a
// [SlowEvent], and [Topic.Stats] has the number of slow subscriptions.
package bus
