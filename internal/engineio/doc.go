// Package engineio keeps Engine.IO sessions, revision 4 of the protocol: the
// layer that carries Socket.IO packets as messages and shows by its heartbeat
// that the other end is alive.
//
// [Dial] opens a session, over websocket or over HTTP long-polling, and reads
// the server's open packet. After that a [Session] has one reader and any
// number of writers:
//
//	session, err := engineio.Dial(ctx, engineio.Options{URL: u, Transports: []string{engineio.WebSocket}})
//	…
//	for {
//		m, err := session.Read()     // m.Data is good until the next Read
//		…
//	}
//
// The session answers pings itself, and Read fails when none has come for as
// long as the server has announced. One that began by polling moves over to websocket, where
// Options and the server allow it, while messages flow.
//
//	frame or payload → packet (websocket.go, polling.go, payload.go)
//	packet → message   (session.go; heartbeat there, upgrade in upgrade.go)
//
// What is held of a body, however long it is, is one packet. Redirects are not
// followed: a 3xx answer is a [*HandshakeError].
package engineio
