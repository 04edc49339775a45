// Package conn keeps a connection to a Socket.IO 4 server, and gives what comes
// over it to Go channels.
//
//	c, err := conn.New("http://localhost:3000/admin", conn.Config{
//		Join: conn.Join{Event: "room:enter", Payload: room},
//	})
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	pings := conn.Topic[Ping](c, "ping").Chan(ctx)
//	go c.Run(ctx)
//	err = c.Emit(ctx, "hi")                           // waits until the room is joined
//	reply, err := conn.Call[Reply](ctx, c, "echo", 1) // waits for the acknowledgement
//	for ping := range pings {
//		…
//	}
//
// # One actor, one reader
//
// [Conn.Run] is the actor: its goroutine connects, owns the session and its
// state, and is the only one to write to the socket. A second goroutine reads,
// finds out who listens to an event, decodes it for them and publishes it. So:
//
//  1. Each topic carries its events in the order of the wire. So does
//     Conn.Raw, between events of different names. Two channels in one select
//     are in no order between them.
//  2. An event that nobody listens to is not decoded.
//  3. A slow subscription holds up nobody, unless it was asked to
//     (bus.Block): then it holds up the reader, and with it this connection.
//  4. Subscriptions, handlers and bindings belong to the Conn, not to a
//     session: they live on over any number of reconnects and Runs.
//  5. An acknowledgement reaches the call that waits for it on the same
//     session, or nobody.
//
// # States
//
// After each connect the order is CONNECT (with Config.Auth), join, Ready.
// Every change is published on Conn.States, with its cause:
//
//	Idle ─ Run ─▶ Connecting ──▶ Connected ──▶ Ready
//	                 ▲   │           │           │
//	                 │   └───────────┴───────────┤  attempt failed, session lost
//	                 └──────── Waiting ◀─────────┤
//	                                             └─▶ Stopped  (Run has returned)
//
// [Conn.Emit] and [Call] wait until Ready, or until their ctx ends. A ctx
// bounds its own call and never breaks the connection; a failed call says in
// a [SendError] whether the event may have reached the server.
//
// # Errors
//
//	error                     what happened                                       then
//	*DialError                no TCP, TLS or websocket connection, or no answer   retry
//	                          within Config.HandshakeTimeout
//	 … a bad certificate                                                          end
//	*RefusedError             CONNECT_ERROR, HTTP status 401 or 403,              end
//	                          or Engine.IO error 4 (forbidden)
//	ErrProtocolVersion        Engine.IO error 5, or CONNECT without an id: a      end
//	                          server of another version
//	ErrDisconnected           DISCONNECT packet: put out by the server            end
//	*ProtocolError            a malformed packet or handshake                     retry
//	*TransportError           the socket broke, or the server closed it           retry
//	ErrPingTimeout            no ping within pingInterval + pingTimeout           retry
//	*AuthError                Config.Auth failed                                  retry
//	 … in reconnect.Permanent                                                     end
//
// "End" means that Run returns the error, unless Config.Retry says to try
// again; "retry" that it waits as Config.Reconnect says.
//
// # Limits
//
// A frame is at most Config.MaxFrame bytes, the answer to a handshake 64 KiB. A
// handshake takes at most Config.HandshakeTimeout, a write Config.WriteTimeout,
// a goodbye a second. JSON nests at most 10,000 deep. Nothing is queued on the
// way out: an Emit that cannot be written waits in its caller.
//
// The protocols are Engine.IO revision 4 and Socket.IO revision 5, over
// websocket. Long-polling and binary attachments are not there yet: an event
// with attachments goes out on Conn.DecodeErrors.
package conn
