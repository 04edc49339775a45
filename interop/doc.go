// Package interop tests Parley against the reference: npm's socket.io server,
// running in Node. The server is in the folder node, with its versions locked.
//
//	npm ci --prefix interop/node
//	go test ./interop
//
// Without Node or without the installed packages the tests are skipped, and
// say so; with PARLEY_INTEROP=required in the environment, as under make
// test, they fail instead.
package interop
