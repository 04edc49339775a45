// Package conformance holds conn against the reference: each test is one
// behaviour, run over every transport against npm's socket.io server in Node.
// The table in the README comes from these results:
//
//	PARLEY_README=write go test ./interop/conformance
//
// The behaviours are checked against internal/sioserver as well and, with
// PARLEY_SERVERS=all, against the server of zishang520.
//
// Known gaps of a transport and faults of a foreign server are in gaps.go, each
// with its reason. Such a row has to fail, and one that begins to pass fails the
// suite.
package conformance
