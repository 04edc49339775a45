// Package conn keeps a connection to a Socket.IO 4 server, and gives what comes
// over it to Go channels.
//
//	c, err := conn.New("http://localhost:3000/admin", conn.Config{
//		OnConnect: func(ctx context.Context, s *conn.Session) error {
//			return s.Emit(ctx, "room:enter", room)
//		},
//	})
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	pings := conn.On[Ping](c, "ping").Chan(ctx)
//	go c.Run(ctx)
//	err = c.Emit(ctx, "hi")                           // waits for Ready
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
//  1. Each source carries its events in wire order. Conn.Raw does so across
//     event names. Two channels in one select have no order between them.
//  2. An event without an active listener is not decoded.
//  3. A slow subscription does not delay others, unless it uses bus.Block: then
//     it blocks the reader, and with it this connection. Pings are still
//     answered.
//  4. Subscriptions, handlers and routes belong to the Conn, not to a session:
//     they stay in place over any number of reconnects and Runs.
//  5. An acknowledgement reaches only the call that waits for it on the same
//     session.
//
// # States
//
// After each connect the order is CONNECT (with Config.Auth and the data for
// recovery), Config.OnConnect, Ready. Every change is published on Conn.States,
// with its cause:
//
//	Idle ─ Run ─▶ Connecting ──▶ Connected ──▶ Ready
//	                 ▲   │           │           │
//	                 │   └───────────┴───────────┤  attempt failed, session lost
//	                 └──────── Waiting ◀─────────┤
//	                                             └─▶ Stopped  (Run has returned)
//
// [Conn.Emit], [Call] and [Conn.Do] wait until Ready, or until their ctx ends. A
// ctx bounds its own call and never breaks the connection; a failed call says in
// a [SendError] whether the event may have reached the server.
//
// # Epochs
//
// Each session belongs to an epoch, a number that grows by one with each session
// that did not resume the one before. Two events of the same epoch have lost
// nothing in between; between two epochs the server may have sent events that
// never arrived. The number stands in [State], [Session.Epoch] and
// [Payload.Epoch], so code that keeps state across sessions compares epochs when
// it handles an event, and needs no callback. A session's own identity is its
// [*Session]: acknowledgements end with it, even if the server resumes it.
//
// # Protocols on top
//
// A program with a protocol of its own builds on these: Config.OnConnect sends
// what every session begins with; [Conn.Do] runs a function on the current
// session, and again on the next one if nothing was sent; [Conn.Hold] makes
// Shutdown wait for work that lasts longer than a call; a [Listener] receives
// the events of a name in the reader's goroutine. Package chat uses no more.
//
// # Transports
//
// A session goes over websocket or, where that cannot be opened, over HTTP
// long-polling: Config.Transports says which are used, and in which order they
// are tried. {Polling, WebSocket} opens by polling and moves over to websocket
// while events flow; none is lost and none changes its place. Config.HTTP says how
// requests get out (proxy, certificates, a unix socket: an *http.Transport has a
// field for each), Config.Jar keeps cookies.
//
// Config.Dialer replaces the native client: package conn/zishang has one.
//
// # Binary data
//
// A []byte, anywhere in what Emit, Call or a handler sends, goes out as a binary
// attachment, and what was sent as one comes back into a []byte, or into an any.
// [Event], the raw form, has the attachments beside its arguments, and
// [Event.Decode] puts them together. A json.RawMessage stays JSON, both ways.
// The slices of one event are shared by all who receive it.
//
// # Recovery
//
// A server with connection state recovery resumes a lost session: State.Recovered
// is then true, the id the same, and what was missed comes first, in order and
// once. The offset that such a server adds to its events is their last argument
// in [Args] and [Event]. An event without another argument has no payload, unless
// it is decoded into a type that takes a string. After a disconnect by either
// side there is no recovery.
//
// # The way out
//
// What is to be written waits in a queue of the session, up to Config.MaxQueue
// packets and Config.MaxQueueBytes. [Conn.Emit] waits for room, and then until the event is
// written; an event that its session has not begun to write goes out on the next
// one. [Conn.TryEmit] waits for nothing: what cannot go out now is dropped, as
// Socket.IO's volatile events are. [Conn.Close] writes the queued packets and
// disconnects; [Conn.Shutdown] first waits for the work that has begun.
//
// # Errors
//
//	error                     what happened                                       then
//	*DialError                no TCP or TLS connection, no session, or no answer  retry
//	                          within Config.HandshakeTimeout
//	 … a bad certificate                                                          end
//	*RefusedError             CONNECT_ERROR, HTTP status 401 or 403,              end
//	                          or Engine.IO error 4 (forbidden)
//	ErrProtocolVersion        Engine.IO error 5, the framing of Engine.IO 3, or   end
//	                          CONNECT without an id: a server of another version
//	ErrDisconnected           DISCONNECT packet of the server                     end
//	*ProtocolError            a malformed packet or handshake, or one over a      retry
//	                          limit of Config
//	*TransportError           the socket broke, or the server closed it           retry
//	ErrPingTimeout            no ping within pingInterval + pingTimeout           retry
//	*AuthError                Config.Auth failed                                  retry
//	*OnConnectError           Config.OnConnect failed                             retry
//	 … either one in reconnect.Permanent                                          end
//
// "End" means that Run returns the error, unless Config.Retry says to try
// again; "retry" that it waits as Config.Reconnect says.
//
// Some errors do not end the session. Conn.DecodeErrors reports an event whose
// payload does not fit the type of a subscription, has a placeholder without
// attachment, or nests deeper than Config.MaxNesting. A late acknowledgement is
// dropped. Emit, TryEmit and Call fail with a *SendError around ErrNotReady,
// ErrSessionLost, ErrClosed, the error of their ctx, or the error of Run.
//
// # Limits
//
//	field                          bounds                                   default
//	MaxFrame                       a message, or one packet's attachments   16 MiB
//	MaxAttachments                 attachments of one packet                10
//	MaxNesting                     arrays and objects in one event          1,000
//	MaxQueue, MaxQueueBytes        what waits to be written                 1,024 packets, 16 MiB
//	HandshakeTimeout               dial, open packet and CONNECT            20 s
//	WriteTimeout                   the writing of a message, or of a post   10 s
//
// The response to a handshake is at most 64 KiB, and closing a session takes at
// most a second. A subscription has its own limit: see package bus.
//
// # At any time
//
// Every method may be called in every phase, from any number of goroutines:
//
//	                       Run         Ready, Emit, Call   TryEmit       Hold       Health
//	                                   Do
//	before the first Run   runs        wait                ErrNotReady   nil        ErrNotReady
//	Connecting, Connected, ErrRunning  wait                ErrNotReady   nil        ErrNotReady
//	  Waiting
//	Ready                  ErrRunning  go through          goes through  nil        nil
//	Run's ctx has ended    runs        wait                ErrNotReady   nil        ErrNotReady
//	Run has failed         runs        its error           ErrNotReady   nil        ErrNotReady
//	Shutdown               ErrRunning  ErrClosed           ErrClosed     ErrClosed  ErrNotReady
//	Close                  ErrClosed   ErrClosed           ErrClosed     ErrClosed  ErrClosed
//
// Ready still reports the actual state during Shutdown. On, Handle and
// UpdateRoutes may be called at any time; after Close a new subscription is
// closed from the start.
//
// # Operation
//
// [Conn.Health] is fit for a readiness probe, [Conn.Stats] for a monitoring
// system. A change is published on Conn.States before State, Health and Ready know of it:
// whoever hears of Ready may have to wait a moment for it. Config.Logger gets these messages, each with the fields attempt, delay, error and
// session:
//
//	conn: connecting, conn: connected, conn: ready   debug
//	conn: waiting                                    warn: a session or an attempt has failed, and why
//	conn: stopped                                    debug; warn when it is for good
//
// # Secrets
//
// What Config.Auth gives, headers and the query are in no error, state or log,
// nor in what fmt prints of a Conn or a Config. A header that is none, and a parameter that the
// protocol sets itself, are errors of New. Certificates are verified unless
// Config.HTTP says otherwise; redirects are not followed, so that nothing goes to
// another host.
//
// The protocols are Engine.IO revision 4 and Socket.IO revision 5.
package conn
