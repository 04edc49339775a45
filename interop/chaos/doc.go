// Package chaos breaks the network between Parley and npm's socket.io server, and
// checks that what both promise still holds.
//
//	make chaos                             # three minutes of rounds, each with a seed of its own
//	CHAOS=10m make chaos                   # longer
//	PARLEY_CHAOS_SEED=42 go test -v -run '^TestChaos$' ./interop/chaos   # one round again
//	SOAK=2m make soak                      # everything at once; fails when something grows
//	go test ./interop/chaos                # a few rounds with fixed seeds, and every fault of a server
//
// # The network
//
// A [Proxy] stands between one client and the server. Each connection that it
// accepts has a [Fate]: it is refused, or its bytes are delayed, throttled
// and written in small pieces, and at given byte counts it stalls, is cut, is
// cut at one end only, or is half-closed. [Plan] draws the fates: that of the n-th
// connection follows from the seed and n alone, whatever the time and the
// other clients do. What the bytes are at which something breaks depends on
// the scheduler, so a seed replays the same faults in the same order, and not the same
// nanoseconds.
//
// # The ledger
//
// The server (interop/node/chaos.js) numbers everything that it says in a room, and
// tells a client on each join which number it has come to. So the client
// knows, from the events as they came off the wire, whether anything is missing, came
// twice or changed its place. What must hold in every round:
//
//  1. Within a session, and over every recovery of it, the numbers have neither gap
//     nor repetition. A recovered session has had everything by the time it is Ready.
//  2. A stream that ends without error has every token of the server's answer, in order,
//     each once. Where a session was lost for good, the last of them may be one token with the
//     rest of the text.
//  3. With a recovering server and Answers.Resume, a stream ends with an error only if
//     its question was lost on the way, or its abort came late; asked again it is answered.
//  4. Without recovery, a stream ends with its whole answer or with an error of its type.
//  5. A message given to Deliver is processed once, in the order of the calls, by a
//     server that remembers the messageIds.
//  6. Each wait lies within the bounds of the policy for its attempt, and attempts are
//     counted without a gap. Once the network is whole, the client is Ready after
//     two waits at most: one for what was broken before, one for an attempt that was on its way.
//
// # What is not promised
//
// A recovery needs an offset: a session that is lost before its first event
// is not recovered. Nor is one whose server still believes in the
// old connection, because the end of it got lost: the client comes back as a new one, with
// Answers.Resume. And an event that goes up is not part of recovery:
// a question that was written, and then lost with its connection, ends with
// ErrNoToken. Deliver is for what must arrive.
//
// # Clocks
//
// Timers, deadlines and measured times are on the monotonic clock, which does
// not jump: setting the clock of the client's machine changes none of them. A machine that
// sleeps stands still, timers and all. When it goes on, the server has given the session up,
// which shows at the next read; at the latest when the ping is overdue. Both are tests here, and a
// server whose clock jumps over the end of its recovery window.
package chaos
