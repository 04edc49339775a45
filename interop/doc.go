// Package interop tests Parley against npm's socket.io server, which runs in
// Node. The folder node contains the server and the versions that it needs, the
// folder nest a server with NestJS, and the folder python one with
// python-socketio.
//
//	npm ci --prefix interop/node
//	npm ci --prefix interop/nest
//	cd interop && go test ./...
//
// The tests are a module of their own, so that their dependencies are not
// dependencies of the library.
//
// Tests that need Node, Python or nginx are skipped without it. With
// PARLEY_INTEROP=required in the environment, as under make test, they fail
// instead.
package interop
