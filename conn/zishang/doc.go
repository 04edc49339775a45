// Package zishang runs a conn.Conn over the client of
// github.com/zishang520/socket.io (clients/socket/v3, v3.0.4) in place of the
// native one:
//
//	c, err := conn.New(url, conn.Config{
//		Dialer:     zishang.Dialer{},
//		Transports: []string{conn.WebSocket},
//	})
//
// The actor, its states, its errors and its reconnection are the same. Of the
// client it uses a fresh Manager for each session, with its own reconnection
// off, and its transports: websocket, polling that moves to websocket, and
// [WebTransport], which nothing else here has. The packets are conn's own affair: the Manager's
// parser hands messages on as they come, so that what is known of its decoder, which does
// not get over a cut inside a binary event, cannot happen.
//
// # What is mended here
//
//   - The order of transports. The client keeps them in a set; here they are
//     tried as Config.Transports lists them.
//   - The open event. The client opens a transport before anybody can listen, and
//     reads from it before it has said that it can write: of a few hundred connects
//     one hung. A gate (gate.go) holds the transport back.
//   - Slow readers. What is read is handed over through a queue of Config.MaxFrame bytes, and
//     then holds the client up, and with it the server.
//   - Signals. Imported by itself, the client takes SIGINT, SIGTERM and
//     SIGQUIT over, and they no longer end the program. With this package they
//     are what the program makes of them (internal/argv0).
//
// # What it cannot do
//
//   - A dial cannot be cancelled. Conn.Close and an ended ctx are heeded at once, but a
//     goroutine and a socket stay behind until the operating system or the server has
//     ended the dial.
//   - Each session leaves a goroutine and 32 KB behind for good, the task queue
//     of its Manager:
//     go test ./conn/zishang -run '^$' -bench Session -benchtime 300x
//   - Polling without an upgrade does not work: the client posts in turn with its
//     polls, so that a post waits until the server has something to say.
//   - Config.MaxFrame is looked at when a message is there in full: until then the client
//     holds whatever the server sends.
//   - Of Config.HTTP it uses the TLSClientConfig, and the proxy of the
//     environment; a Transport that sets more, another RoundTripper and a Config.Jar are errors.
//   - What a server says when it refuses the handshake by HTTP is lost: 401,
//     403 and another protocol version are a conn.DialError, and retried.
//   - Importing it starts a goroutine that looks at the network interfaces every
//     three seconds.
//
// The table of behaviours in the README has a column for it. WebTransport is
// not in that table, because Node's server has none without an addition of its own: it is tested
// against the server of the same author.
package zishang
