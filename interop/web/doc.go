// Package web tests chat/chathttp with the clients of its protocols. They are
// the AI SDK 5, 6 and 7 with its React hook and its Workflow transport, AG-UI's
// HttpAgent, OpenAI's clients for Node and Go, and an EventSource.
//
//	make interop/web/node_modules
//	cd interop/web && go test .
//
// The clients run in the Node of the folder's own packages, because some of
// them need a later one than the other tests. The tests are skipped without the
// packages. With PARLEY_INTEROP=required in the environment, as under make
// test, they fail instead.
package web
