// Package chaos breaks the network between Parley and npm's socket.io server, and
// checks that what both promise still holds.
//
//	make chaos                  # three minutes of rounds, each with a seed of its own
//	CHAOS=10m make chaos        # longer
//	SOAK=2m make soak           # everything at once; fails when something grows
//	cd interop && go test ./chaos # short rounds with a fixed seed, and every fault of a server
//
// A round prints its seed, and plays again with it, in one mode or in each:
//
//	PARLEY_CHAOS_SEED=42 go test -v -run '^TestChaos$/^recovering-polling$' ./chaos
//
// # The network
//
// A [Proxy] stands between one client and the server. Each connection that it
// accepts has a [FaultPlan]: it is refused, or its bytes are delayed, throttled
// and written in small pieces, and at given byte counts it stalls, is reset, is
// reset at one end only, or is half-closed. [Plan] draws the faults. Those of the
// n-th connection follow from the seed and n alone. So a seed repeats the same
// faults, in the same order and after as many bytes; which messages those bytes
// carry depends on the scheduler. A failed round prints the faults of its
// connections, and the history of each client.
//
// # The ledger
//
// The server (interop/node/chaos.js) numbers everything that it says in a room,
// and tells a client on each join which number it has come to. So the client
// knows, from the events as they came off the wire, whether anything is missing,
// came twice or changed its place. What must hold in every round:
//
//  1. Within a session, and over every recovery of it, the numbers have neither
//     gap nor repetition. A recovered session has had everything by the time its
//     join is answered.
//  2. A stream that ends without error has every token of the server's answer,
//     in order, each once. Only where a session was lost for good may the last of
//     them be one token with the rest of the text.
//  3. With a recovering server and StreamConfig.Resume, a stream ends with an error
//     only if its question was lost on the way, or an abort came late; asked
//     again it is answered.
//  4. Without recovery, a stream ends with its whole answer or with an error of
//     its type.
//  5. A message given to Deliver is processed once, in the order of the calls,
//     by a server that remembers the messageIds.
//  6. Each wait lies within the bounds of the policy for its attempt, and attempts
//     are counted without a gap. Once the network is whole, the client is Ready
//     after two waits at most: one for what was broken before, one for an attempt
//     that was on its way.
//
// # What is not promised
//
// A recovery needs an offset: a session that is lost before its first event is
// not recovered. Nor is one whose server still believes in the old connection,
// because the end of it got lost: the client comes back as a new one, and
// StreamConfig.Resume asks for the rest. And what goes up is no part of recovery: a
// question that was written, and then lost with its connection, ends with
// ErrNoToken. Deliver is for what must arrive. For the same reason StreamConfig.Resume
// should wait for an acknowledgement: it is called again until it has returned.
//
// # Clocks
//
// Timers, deadlines and measured times are on the monotonic clock: setting the
// clock of the client's machine changes none of them. (No test sets it: it is
// everybody's.) A machine that sleeps stands still, timers and all; when it goes on, the
// server has given the session up, which shows at the next read, and at the latest
// when the ping is overdue. That is tested with a client in a process that is
// stopped; so is a server whose clock jumps while a client is away, forward
// over the end of the recovery window, and back.
package chaos
