// Package sioserver is a small Socket.IO server for tests, examples and load
// generators. It speaks revision 5 of Socket.IO over revision 4 of Engine.IO,
// on the codecs of the client: internal/engineio and internal/socketio.
//
//	server := sioserver.New(sioserver.Config{})
//	server.Namespace("/", sioserver.Handlers{
//		Connect: func(s *sioserver.Socket) { s.Join("room-1") },
//		Event: func(e *sioserver.Event) { e.Ack(e.Name) },
//	})
//	httpServer := &http.Server{Handler: server}
//	…
//	httpServer.Close()
//	server.Close()
//
// # Layers
//
//	HTTP request        http.go       checks, CORS, cookie, handshake
//	Engine.IO session   engine.go     queue, heartbeat, close
//	transports          polling.go, websocket.go, upgrade.go
//	Socket.IO client    client.go     packets of one session, by namespace
//	socket              socket.go     events, acknowledgements, recovery, rooms
//
// # Guarantees
//
//  1. The handlers of one socket run one after the other, in the order of its
//     packets, in a goroutine of the socket. They may block: acknowledgements
//     arrive meanwhile.
//  2. Emit never blocks. A client receives events in the order in which they
//     were emitted, on every transport, across an upgrade and a recovery.
//  3. A recovered client receives each event that it missed exactly once.
//  4. Close returns when all goroutines of the server have ended.
//  5. All waits use timers of package time, so the server works in a bubble of
//     testing/synctest.
//
// If a client reads too slowly, its events are held in memory without limit. Do
// not expose this server to the internet.
//
// # Locks
//
// Locks are taken in the order Namespace.mu, Socket.mu, client.mu, engine.mu.
// No lock is taken under Server.mu or inbox.mu. Handlers run without a lock.
package sioserver
