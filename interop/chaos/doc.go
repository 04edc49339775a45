// Package chaos breaks the network between Parley and npm's socket.io server,
// and checks that the promises of both still hold.
//
//	make chaos                    # three minutes of rounds, each with a random seed
//	CHAOS=10m make chaos          # longer
//	SOAK=2m make soak             # all at once; fails if the use of resources grows
//	cd interop && go test ./chaos # short rounds with a fixed seed, and server failures
//
// A round logs its seed, and can be repeated with it, in one mode or in each:
//
//	PARLEY_CHAOS_SEED=42 go test -v -run '^TestChaos$/^recovering-polling$' ./chaos
//
// # The network
//
// A [Proxy] stands between one client and the server. Each connection that it
// accepts has a [FaultPlan]. The connection may be refused. Its bytes may be
// delayed, throttled and written in small pieces. At given byte counts it may
// stall, be reset, be reset at one end only, or be half-closed. [Plan] draws
// the faults. The faults of the n-th connection depend only on the seed and n.
// So a seed repeats the same faults, in the same order and after the same
// number of bytes. The messages in these bytes depend on the scheduler. A
// failed round prints the faults of its connections, and the history of each
// client.
//
// # Checks
//
// The server (interop/node/chaos.js) numbers all events that it sends to a
// room. On each join it sends the current number to the client. From the
// received events the client detects whether an event is missing, repeated or
// out of order. These statements must hold in each round:
//
//  1. Within a session, and across its recoveries, the numbers have no gap and
//     no repetition. A recovered session receives all missed events before the
//     reply to its join.
//  2. A stream that ends without an error has each token of the server's answer
//     once, in order. Only if a session was lost without recovery, the last
//     token may have the rest of the text.
//  3. With a recovering server and StreamConfig.Resume, a stream ends with an
//     error only if its question was lost, or if an abort arrived late. When
//     the question is asked again, it is answered.
//  4. Without recovery, a stream ends with its complete answer or with one of
//     the errors of a stream.
//  5. A server that remembers message ids processes each message of Deliver
//     once, in the order of the calls.
//  6. Each wait is within the bounds of the policy for its attempt, and
//     attempts are counted without a gap. After the end of the faults the
//     client becomes Ready. At most two of its attempts then fail without a
//     timeout: one by an earlier fault, and one in progress.
//  7. A message of SendMessage arrives at most once. A tool runs once for each
//     call that arrives, also across recoveries, and the server gets at most
//     one result, which is that of the call.
//  8. Slow and stuck readers of each policy, on topics of each kind, delay no
//     other reader. A reader receives published values in order, each once, and
//     counts all others as dropped. A stuck reader has exactly the values that
//     its policy keeps. A slow reader under bus.Block has all values.
//  9. Joins, leaves and new names change nothing of that. At the end no stream
//     and no delivery is open, and the counters have only grown.
//
// # Limits
//
// A recovery needs an offset: a session that is lost before its first event is
// not recovered. A session is also not recovered before the server has
// noticed the end of the old connection. The client then opens a new session,
// and StreamConfig.Resume requests the rest. So does a client whose session was
// itself recovered, if it breaks again before the server can have noticed that.
//
// Recovery does not cover events of the client. If a question is written and
// then lost with its connection, its stream ends with ErrNoToken. Use Deliver
// for messages that must arrive. For the same reason StreamConfig.Resume should
// wait for an acknowledgement: it is called again if the session ends before it
// returns.
//
// # Clocks
//
// Timers, deadlines and measured times use the monotonic clock. A change of the
// clock of the client's machine has no effect on them. No test changes that
// clock, because other programs use it.
//
// While a machine sleeps, its timers stop, and the server ends the session.
// After the wake-up the client notices that at its next read, or at the latest
// when the ping is overdue. The tests suspend the process of a client. They
// also change the clock of the server while a client is disconnected: forward
// beyond the recovery window, and back.
package chaos
