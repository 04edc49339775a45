// Package engineio is the client side of Engine.IO, revision 4 of the protocol.
// A session carries Socket.IO packets as messages, and its heartbeat detects a
// lost connection.
//
// [Dial] opens a session over websocket or HTTP long-polling, and reads the
// server's open packet. A [Session] has one reader and any number of writers:
//
//	session, err := engineio.Dial(ctx, engineio.Options{URL: u, Transports: []string{engineio.WebSocket}})
//	…
//	for {
//		m, err := session.Read()     // m.Data is valid until the next Read
//		…
//	}
//
// Guarantees:
//
//  1. A Write sends its messages in order, with no other message between them.
//  2. The session answers pings, also while no Read is active.
//  3. Read fails with [ErrPingTimeout] if no ping arrives within the interval
//     and the timeout that the server announced.
//  4. A session over polling moves to websocket if Options and the server allow
//     it. Messages flow meanwhile, and none is lost.
//  5. A session buffers one received packet. The length of an HTTP body does
//     not matter.
//  6. Redirects are not followed: a 3xx response is a [*HandshakeError].
//
// The files, in the order of decoding:
//
//	frame or payload → packet (websocket.go, polling.go, payload.go)
//	packet → message   (session.go; heartbeat there, upgrade in upgrade.go)
package engineio
