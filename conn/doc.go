// Package conn connects to a namespace of a Socket.IO 4 server, reconnects
// after a lost connection, and delivers the server's events on Go channels.
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
// # Guarantees
//
//  1. Each source delivers its events in wire order. [Conn].Raw does so for the
//     events of all names together. Two channels have no order between them.
//  2. An event without an active listener is not decoded.
//  3. A slow subscription does not delay others, unless it uses bus.Block. Then
//     it blocks the events of this connection; pings are still answered. Over
//     polling, a response with many events is delivered at the pace of its
//     readers, see [Pacer].
//  4. Subscriptions, handlers and routes belong to the Conn. They remain over
//     any number of reconnects and calls of Run.
//  5. An acknowledgement reaches only the call that waits for it, on the same
//     session.
//  6. The ctx of a call limits that call only. It never breaks the connection.
//  7. [Conn.Emit] and [Call] do not send an event again that may have reached
//     the server. Their [SendError] reports in MaybeSent whether it may have.
//  8. A server cannot make the connection use unbounded memory: see Limits.
//
// The goroutine that calls [Conn.Run] connects, changes the state and writes
// the packets that callers do not write themselves. A second goroutine, the
// reader, reads packets, decodes events for their listeners and publishes them.
//
// # States
//
// After each connect the order is CONNECT (with Config.Auth and the data for
// recovery), Config.OnConnect, Ready. Each change is published on
// [Conn].States, with its cause:
//
//	Idle ─ Run ─▶ Connecting ──▶ Connected ──▶ Ready
//	                 ▲   │           │           │
//	                 │   └───────────┴───────────┤  attempt failed, session lost
//	                 └──────── Waiting ◀─────────┤
//	                                             └─▶ Stopped  (Run has returned)
//
// [Conn.Emit], [Call] and [Conn.Do] wait until the connection is Ready, or
// until their ctx ends. A change is published before [Conn.State], [Conn.Ready]
// and [Conn.Health] report it: for a moment after States has published Ready,
// Health may still return an error.
//
// # Epochs
//
// Each session belongs to an epoch, a number. It grows by one with each session
// that the server did not resume. Between two events of the same epoch no event
// was lost; between two epochs events may have been lost. [State],
// [Session.Epoch] and [Payload.Epoch] have the number. Code that keeps state
// across sessions compares epochs when it handles an event, and needs no
// callback.
//
// Two sessions of one epoch are still two [*Session] values: an acknowledgement
// ends with its Session, even if the server resumes that.
//
// # Protocols on top
//
// A package with a protocol of its own builds on these, as package chat does:
//
//   - Config.OnConnect sends the messages that begin each session.
//   - [Conn.Do] runs a function on the current session, and again on the next
//     one if its event was not sent.
//   - [Conn.Hold] makes [Conn.Shutdown] wait for work that lasts longer than
//     one call.
//   - A [Listener] receives the events of a name in the reader's goroutine.
//
// # Transports
//
// A session uses websocket or, if that cannot be opened, HTTP long-polling.
// Config.Transports sets which transports are tried, and in which order.
// {Polling, WebSocket} opens a session by polling and upgrades it to websocket
// while events flow; no event is lost or reordered. Config.HTTP sets the proxy,
// certificates or a unix socket, by the fields of an *http.Transport.
// Config.Jar keeps cookies. Config.Dialer replaces the native client, for
// example by package conn/zishang.
//
// # Binary data
//
// A []byte at any depth in the arguments of Emit or Call, or in the reply of a
// handler, is sent as a binary attachment. A received attachment is decoded
// into a []byte or an any. [Event], the raw form, has attachments beside its
// arguments, and [Event.Decode] combines them. A json.RawMessage stays JSON in
// both directions. All receivers of an event share its slices.
//
// # Recovery
//
// A server with connection state recovery can resume a lost session.
// State.Recovered is then true, the id is the same, and the missed events
// arrive first, in order and once. An event that waits for a full bus.Block
// subscription at the loss counts as received: it is delivered before those of
// the next session.
//
// A session is not resumed after a disconnect by either side, after a protocol
// error, or after one failed attempt. A session that was itself resumed and
// then breaks is resumed again only if the server closed it, or after
// pingInterval plus pingTimeout. Before that the server may not have noticed.
//
// Such a server adds an offset to its events, which is the last argument in
// [Args] and [Event]. An event with no other argument has no payload, unless it
// is decoded into a type that accepts a string. An offset has at most 128
// bytes, and the form of the offsets before it. Another string at the end of an
// event is part of a volatile event.
//
// # Sending
//
// The caller of [Conn.Emit] or [Call] writes the packet itself, if no other one
// waits and the socket takes it without blocking. Otherwise the packet waits in
// a queue of the session, up to Config.MaxQueue packets and
// Config.MaxQueueBytes. The packets of concurrent callers leave in one system
// call. [Conn.Emit] waits for room, and then until the event is written. If its
// session ends before it takes the event from the queue, the event is sent on
// the next session. [Conn.TryEmit] never waits, and drops an event that cannot
// be queued at once. [Conn.Close] writes the queued packets and disconnects;
// [Conn.Shutdown] first waits for the work in progress.
//
// # Errors
//
//	error                     cause                                               then
//	*DialError                no TCP or TLS connection, no session, or no reply   retry
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
//	*OnConnectError           Config.OnConnect failed or panicked                 retry
//	 … either one in reconnect.Permanent                                          end
//
//	*bus.PanicError           a function called runtime.Goexit in the reader's    retry
//	                          goroutine, or a log handler panicked there
//
// "End" means that Run returns the error, unless Config.Retry returns true for
// it. "Retry" means that Run waits as Config.Reconnect sets, and tries again.
//
// Some errors do not end the session. Conn.DecodeErrors reports an event whose
// payload does not fit the type of a subscription, has a placeholder without
// attachment, or nests deeper than Config.MaxNesting. A late acknowledgement is
// dropped. Emit, TryEmit and Call fail with a *SendError that wraps
// ErrNotReady, ErrSessionLost, ErrClosed, a *TooLargeError, the error of their
// ctx, or the error of Run.
//
// # Observers
//
// Config.Observers receive changes of state, sessions with the cause of their
// end, the sizes of messages in both directions, and slow subscriptions. An
// observer has one or more of the methods of [StateObserver],
// [SessionBeginObserver], [SessionEndObserver], [FrameReadObserver],
// [FrameWrittenObserver] and [SlowObserver]. Without an observer of an event,
// the event costs nothing. Package chat has more observers, and
// chat/chatotel has those for OpenTelemetry.
//
// # Panics
//
// A panic of a user's function in a goroutine of this package is recovered and
// logged, and the session continues. Conn.DecodeErrors reports the panic of a
// [Listener], or of a subscription's function, with a *bus.PanicError. After a
// panic of a handler the server receives an error. A panic of Config.OnConnect
// is an *OnConnectError.
//
// Config.Auth, Config.Retry, a Dialer and a log handler also run in the
// goroutine that called Run. A panic there passes through Run, and Run may be
// called again.
//
// # Limits
//
//	field                          bounds                                   default
//	MaxFrame                       a message, or one packet's attachments   16 MiB
//	MaxAttachments                 attachments of one packet                10
//	MaxNesting                     arrays and objects in one event          1,000
//	MaxQueue, MaxQueueBytes        packets that wait to be written          1,024 packets, 16 MiB
//	HandshakeTimeout               auth, dial, open packet and CONNECT      20 s
//	WriteTimeout                   the writing of a message, or of a post   10 s
//
// The server's own limit for a message, maxPayload, is known from its
// handshake. An event over it fails with a *TooLargeError in its *SendError,
// and nothing is sent. A CONNECT payload over it ends Run with an *AuthError.
//
// The response to a handshake is at most 64 KiB, and closing a session takes at
// most a second. A subscription has its own limits: see package bus. [On] and
// the other sources estimate the memory of each event for them.
//
// Events that the server sends before its reply to CONNECT are delivered after
// the reply, in order. They are dropped if the attempt fails. Together they are
// limited by MaxFrame.
//
// # Methods by phase
//
// All methods may be called in each phase, from any number of goroutines:
//
//	                       Run         Ready, Emit, Call   TryEmit       Hold       Health
//	                                   Do
//	before the first Run   runs        wait                ErrNotReady   nil        ErrNotReady
//	Connecting, Connected, ErrRunning  wait                ErrNotReady   nil        ErrNotReady
//	  Waiting
//	Ready                  ErrRunning  succeed             succeeds      nil        nil
//	Run's ctx has ended    runs        wait                ErrNotReady   nil        ErrNotReady
//	Run has failed         runs        its error           ErrNotReady   nil        ErrNotReady
//	Shutdown               ErrRunning  ErrClosed           ErrClosed     ErrClosed  ErrNotReady
//	Close                  ErrClosed   ErrClosed           ErrClosed     ErrClosed  ErrClosed
//
// Ready still reports the actual state during Shutdown. On, Handle and
// UpdateRoutes may be called at any time; a subscription made after Close is
// closed at once.
//
// # Operation
//
// [Conn.Health] serves a readiness probe, [Conn.Stats] a monitoring system.
// Config.Logger receives these messages, each with the fields attempt, delay,
// error and session:
//
//	conn: connecting, conn: connected, conn: ready   debug
//	conn: waiting                                    warn; a session or attempt failed with error
//	conn: stopped                                    debug; warn with an error
//
// # Secrets
//
// Errors, states, logs and the printed forms of a Conn or a Config never
// contain the result of Config.Auth, headers or the query. An invalid header,
// or a query parameter that the protocol sets itself, is an error of New.
// Certificates are verified unless Config.HTTP disables that. Redirects are not
// followed, so credentials are never sent to another host.
//
// The protocols are Engine.IO revision 4 and Socket.IO revision 5.
package conn
