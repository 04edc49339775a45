// Package conformance compares conn with the reference client. Each test covers
// one behaviour, over every transport, against npm's socket.io server in Node.
// The results are the table in docs/compatibility.md, which make conformance
// writes:
//
//	cd interop && PARLEY_CONFORMANCE=write go test ./conformance
//
// The tests also run against internal/sioserver, and each behaviour against one
// of the versions 3.0, 4.0 and 4.6 of npm's server. With PARLEY_SERVERS=all, as
// under make conformance, they run against all of these versions and against
// the server of zishang520.
//
// The file gaps.go lists each behaviour that a transport or another server does
// not have, with the reason. Such a test is expected to fail. If it passes, the
// suite fails.
package conformance
