// Package reconnect decides when to try again.
//
// A [Policy] describes the waits between tries and what ends them. Its zero
// value suits a client that should come back whenever its server does:
//
//	err := reconnect.Policy{}.Run(ctx, func(ctx context.Context, up func()) error {
//		session, err := dial(ctx)
//		if err != nil {
//			return err // worth another try
//		}
//		up() // from here the session counts as up
//		return session.Wait(ctx)
//	}, nil)
//
// # The waits
//
// The interval starts at InitialInterval, is multiplied by Multiplier after
// each retry and stops growing at MaxInterval. The wait is drawn evenly from
// the interval plus or minus RandomizationFactor of it, so that the clients of
// a server that went down do not all return in the same instant. MaxInterval
// bounds the interval, not the wait drawn around it. With the defaults:
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
//   - The zero Policy never gives up; only the context, a nil error or a
//     [Permanent] one ends its Run.
//   - Failures in a row make a row: it begins when a try fails, and the count,
//     the interval and the elapsed time belong to it. A session that stayed up
//     for StableAfter ends the row; when it is lost, a new one begins. A shorter
//     session leaves the row as it was, so a server that accepts and drops at
//     once is not hammered.
//   - No goroutine is started. Tries and notices run in the goroutine that
//     called Run, one at a time.
//   - A context that ends, ends a wait at once and leaves no timer behind.
//   - A Policy is a plain value: Run never writes to it, and any number of
//     goroutines may run the same one.
package reconnect
