// Package mockserver is the chat backend of examples/mockserver. It uses
// package chattest for rooms, streamed answers, tools and recovery. It adds
// faults that can be changed while it runs, and modes that imitate other
// backends. Its panel is an HTTP page at /faults.
//
//	server, err := mockserver.Start(mockserver.Config{Addr: "127.0.0.1:0"})
//	…
//	err = server.Run(ctx) // until ctx ends
package mockserver
