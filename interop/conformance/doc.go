// Package conformance holds conn against the reference: each test is one
// behaviour, run over every transport against npm's socket.io server in Node.
// The table in the README comes from its results:
//
//	PARLEY_README=write go test ./interop/conformance
//
// What a transport is known not to do is in gaps.go with its reason. Such a row has
// to fail, and one that begins to pass fails the suite.
package conformance
