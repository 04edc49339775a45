// Package conformance compares conn with the reference client. Each test covers
// one behaviour, over every transport, against npm's socket.io server in Node.
// The results are the table in docs/compatibility.md, which make conformance
// writes:
//
//	cd interop && PARLEY_CONFORMANCE=write go test ./conformance
//
// The behaviours are checked against internal/sioserver as well and, with
// PARLEY_SERVERS=all, against the server of zishang520.
//
// The file gaps.go lists each behaviour that a transport or a foreign server
// does not have, with the reason. Such a test is expected to fail. If it
// passes, the suite fails.
package conformance
