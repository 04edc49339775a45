// Package conformance compares conn with the reference client. Each test covers
// one behaviour, over every transport, against npm's socket.io server in Node.
// The results are the table in docs/compatibility.md, which make conformance
// writes:
//
//	cd interop && PARLEY_CONFORMANCE=write go test ./conformance
//
// Each behaviour is also tested against internal/sioserver and one of the
// versions 3.0, 4.0 and 4.6 of npm's server, over one transport in turn. With
// PARLEY_SERVERS=all, as under make conformance, it is tested against all of
// these versions, internal/sioserver and the server of zishang520, over every
// transport.
//
// The file gaps.go lists each behaviour that a transport or another server does
// not have, with the reason. Such a test is expected to fail. If it passes, the
// suite fails.
package conformance
