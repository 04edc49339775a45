// Package mockserver is the chat backend of examples/mockserver: rooms, streamed
// answers, tools and recovery by package chattest, with faults that can be
// switched while it runs and the manners of other backends. Its panel is an HTTP
// page at /faults.
//
//	server, err := mockserver.Start(mockserver.Config{Addr: "127.0.0.1:0"})
//	…
//	err = server.Run(ctx) // until ctx ends
package mockserver
