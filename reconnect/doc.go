// Package reconnect runs a function again after it fails, with growing waits.
//
// A [Policy] sets the waits between tries and the limits on them. The zero
// value retries for ever, which suits a client that reconnects whenever its
// server is up again:
//
//	err := reconnect.Policy{}.Run(ctx, func(ctx context.Context, up func()) error {
//		session, err := dial(ctx)
//		if err != nil {
//			return err // retried
//		}
//		up() // from here the session counts as up
//		return session.Wait(ctx)
//	}, nil)
//
// # The waits
//
// The interval starts at InitialInterval, is multiplied by Multiplier after
// each retry and stops growing at MaxInterval. The wait is random, uniformly
// within RandomizationFactor of the interval on either side. So the clients of
// a restarted server do not all return at the same moment. MaxInterval bounds
// the interval, and a wait may be longer than that. With the defaults:
//
//	retry    interval    wait
//	1        0.5 s       0.25 s – 0.75 s
//	2        1 s         0.5 s  – 1.5 s
//	3        2 s         1 s    – 3 s
//	4        4 s         2 s    – 6 s
//	5, 6, …  5 s         2.5 s  – 7.5 s
//
// # Guarantees
//
//  1. Run with the zero Policy never gives up. It ends with its context, with a
//     nil error or with a [Permanent] error.
//  2. Consecutive failures are counted together: the count, the interval and
//     the elapsed time start at the first failure. They start again when a
//     session that stayed up for StableAfter is lost. A shorter session does
//     not reset them, so the waits still grow when a server accepts each
//     connection and drops it at once.
//  3. No goroutine is started. Run calls its functions in the caller's
//     goroutine, one at a time.
//  4. A wait ends at once when the context ends, and leaves no timer behind.
//  5. A Policy is a plain value. Run does not change it, and any number of
//     goroutines may use the same Policy.
package reconnect
