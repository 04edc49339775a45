// Package engineio keeps Engine.IO sessions, revision 4 of the protocol, over
// websocket: the layer that carries Socket.IO packets as messages and shows
// by its heartbeat that the other end is alive.
//
// [Dial] opens a session and reads the server's open packet. After that a
// [Session] has one reader and one writer, which may be two goroutines:
//
//	session, err := engineio.Dial(ctx, engineio.Options{URL: u})
//	…
//	for {
//		packet, err := session.Read()     // packet.Data is good until the next Read
//		…
//	}
//
// Answering pings and noticing their absence is the owner's task: only it
// knows when it may write.
package engineio
