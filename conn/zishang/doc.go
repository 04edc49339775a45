// Package zishang has a [conn.Dialer] that uses the client of
// github.com/zishang520/socket.io (clients/socket/v3, v3.0.6) in place of the
// native one:
//
//	c, err := conn.New(url, conn.Config{
//		Dialer:     zishang.Dialer{},
//		Transports: []string{conn.WebSocket},
//	})
//
// The states, the errors and the reconnection of a conn.Conn remain the same.
// Each session has a new Manager of the client, whose own reconnection is off.
// Its transports are websocket, polling with an upgrade to websocket, and
// [WebTransport], which the native client does not have. Package conn decodes
// the packets. The Manager's decoder is not used: after a binary event without
// its attachments it rejects all further text packets.
//
// # Workarounds
//
//   - Order of transports. The client keeps them in an unordered set. This
//     package tries them in the order of Config.Transports.
//   - The open event. The client opens a transport before its listeners are
//     added, and reads before it can write. Without the gate in gate.go about
//     one connect in 500 hangs.
//   - Slow readers. Messages pass through a queue of Config.MaxFrame bytes.
//     When it is full, the client stops reading, and the server's writes block.
//   - Signals. On import the client registers for SIGINT, SIGTERM and SIGQUIT,
//     which then no longer end the program. Package internal/argv0 prevents
//     that.
//
// # Limits
//
//   - A dial cannot be cancelled. Conn.Close and an ended ctx return at once,
//     but a goroutine and a socket remain until the operating system or the
//     server ends the dial.
//   - Polling without an upgrade does not work: the client does not post while
//     a poll is pending, so a post waits until the server sends something.
//   - Config.MaxFrame is checked when a message is complete. Until then the
//     client buffers it, without a limit.
//   - Of Config.HTTP the client uses the TLSClientConfig, and the proxy of the
//     environment. A Transport with other settings, another RoundTripper and a
//     Config.Jar are errors.
//   - The HTTP response to a refused handshake is lost: 401, 403 and another
//     protocol version are a conn.DialError, and are retried. For the same
//     reason a Config.Path without a slash at its end is tried only with the
//     slash.
//   - The server's limit for a message, maxPayload, is not known. A message
//     over it ends the session, without a conn.TooLargeError.
//   - On import the client starts a goroutine that reads the network interfaces
//     every three seconds.
//
// A benchmark shows that a closed session leaves no goroutine and no memory:
//
//	go test ./conn/zishang -run '^$' -bench Session -benchtime 300x
//
// The table in docs/compatibility.md has a column for this package.
// WebTransport is not in that table, because npm's server needs an additional
// package for it. It is tested against the server of the same author.
package zishang
