// Package chattest is a chat backend inside a test or an example, as
// net/http/httptest is a web server inside one. It speaks Socket.IO on a real
// port, keeps rooms, answers user messages by a script, fails by a plan, and
// records the events of clients.
//
//	server := chattest.NewServer(chattest.Config{Answer: chattest.Say("Hello yourself.", 0)})
//	defer server.Close()
//	client, err := chat.New(server.URL, chat.Config{ChatID: events.StringID("room-1")})
//	…
//	server.Expect(t, "user:message", map[string]any{"chatId": "room-1", "text": "Hello"})
//
// There are three things to know. An [Answer] is the script of the AI, a
// function that gets a question. A [Handler], see [Server.Handle], is the first
// step for received events of one name. A [Socket] is one client as the backend
// sees it: it can be sent anything, asked for an acknowledgement, and
// disconnected.
//
// # A test of your own handler
//
// To test a program's handler for events, send it one:
//
//	server := chattest.NewServer(chattest.Config{})
//	defer server.Close()
//	go app.Run(t.Context(), server.URL) // your program
//	socket := server.Expect(t, "chat:join", nil).Socket
//	reply, err := socket.Call(t.Context(), "delete", "file-1")
//
// # Cookbook
//
// An answer is a Go function. It may emit every event of the contract, in any
// order and with any index. It may wait, branch on the text of the question,
// and call another answer such as [Say] or [Echo].
//
//	Answer: func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
//		socket := chattest.SocketFromContext(ctx)
//		switch q.Text {
//		case "status":
//			emit(events.AIProcessing{Status: events.StatusRetrying, Reason: "busy"})
//			chattest.Say("Done.", 50*time.Millisecond)(ctx, q, emit)
//		case "error":
//			emit(events.AIError{Code: "E_MODEL", Message: "no more"})
//		case "silence":
//			<-ctx.Done() // until the question is aborted, or its client gone
//		case "gap":
//			emit(events.AIToken{Token: "first ", Index: 0})
//			emit(events.AIToken{Token: "third", Index: 2})
//		case "wrong shape":
//			socket.Emit(ctx, "ai:token", map[string]any{"requestId": q.RequestID, "index": "zero"})
//		case "tool":
//			result, err := chattest.CallTool(ctx, events.AIToolCall{CallID: "c1", ToolName: "clock"})
//			…
//		case "cut":
//			emit(events.AIToken{Token: "Well…"})
//			socket.CloseNow() // with Config.Recovery the answer can continue
//		case "kick":
//			socket.Disconnect()
//		}
//	}
//
// Before the backend handles an event, or instead:
//
//	server.Handle("chat:join", chattest.Refuse(errors.New("the room is full")))   // a *chat.JoinError
//	server.Handle("chat:join", chattest.Refuse(chattest.ErrNoReply))              // no acknowledgement
//	server.Handle("meta:events:request", chattest.Refuse(chattest.ErrNoReply))    // no discovery
//	server.Handle("user:message", func(_ context.Context, r chattest.Received) (any, error) {
//		r.Socket.CloseNow()             // the message has arrived,
//		return nil, chattest.ErrNoReply // and its sender cannot know
//	})
//	server.Handle("ai:resume", func(ctx context.Context, r chattest.Received) (any, error) {
//		var from struct{ RequestID string; After int }
//		if err := r.Decode(&from); err != nil {
//			return nil, err
//		}
//		return chattest.Args{"resumed", []byte{1}}, nil // an acknowledgement of two arguments
//	})
//	server.Handle("chat:join", nil) // as before
//
// At any time:
//
//	server.Emit(room, events.ChatMessage{MessageID: "m1", UserID: bob, Text: "Hello"})  // to a room
//	server.Sockets()[0].Emit(ctx, "error", map[string]string{"message": "maintenance"}) // to a client
//	server.CloseClientConnections()                                                     // the network fails
//	server.Freeze()                                                                     // the process is stopped
//	server.Close(); server, err = chattest.Start(addr, cfg)                             // the backend restarts
//
// Access and connections: Config.Auth and Config.Admit refuse a CONNECT, and
// Config.Middleware a request, as any HTTP middleware does. Config.OnConnect is
// called for each connection. Config.Fault plans the faults of each TCP
// connection: a delay, a cut at a byte, a half-open connection, garbage, a slow
// reader. Config.Names renames events; discovery reports the names.
//
// Received events: [Server.Expect] waits for the next event of a name and
// compares it, [Server.Next] waits, and [Server.Received] lists. Received.Bytes
// distinguishes bytes from strings.
//
//	server.Expect(t, "chat:join", nil)
//	abort := server.Expect(t, "ai:abort", map[string]any{"requestId": stream.RequestID()})
//	assert.Empty(t, server.Received("user:typingStart"))
//
// # Events
//
//   - chat:join joins the room of its chatId, or none without one.
//   - chat:leave leaves the room of its chatId.
//   - user:message is sent to the room as a chat:message, and then answered.
//   - ai:abort stops the answers with its requestId, or without one all answers
//     of its chat that are under way. It works for every client that receives
//     the answer.
//   - user:typingStart, user:typingStop and chat:read are only validated.
//   - meta:events:request is answered by meta:events:response with all names;
//     [Server.SetNames] sends that to all clients.
//   - echo is acknowledged with its own arguments.
//
// All but the last two are acknowledged with {"ok": true}, if the client asks
// for an acknowledgement. A payload that does not fit its type is reported to
// its sender by an error event, {"event", "message"}, and acknowledged with
// {"ok": false, "error"}. A message that is received twice is answered twice.
//
// # Rooms
//
// A client may join any number of rooms. Its events in a chat that it has not
// joined are sent to itself only, which plays a backend without rooms. Each
// join and leave sends a presence:update to the room. A user's id in it is the
// userId of the client's auth, else the first userId in the client's events,
// else the id of its socket. Namespaces have rooms of their own.
//
// # Recovery
//
// With Config.Recovery, a client that loses its connection can recover its
// session. It keeps its id and its rooms. It receives each missed event once
// and in order, before any new one. Until then it is not present in its rooms,
// and the answer to its question continues. Each event carries its offset as
// one more string argument. The last 4,096 events of each client are kept: a
// client that has missed more, or has received no event yet, gets a new
// session. An event that asks for an acknowledgement is not sent again, and the
// call of a tool fails with [ErrGone] while the client is away.
//
// # Guarantees
//
//  1. A client receives the events of an answer in the order in which the
//     answer emitted them, on every transport.
//  2. Each received event is one step. No event of an answer comes between a
//     chat:message and the acknowledgement of its user:message. No event of an
//     aborted answer follows the acknowledgement of its ai:abort. The events
//     of one client are handled one after the other, in the order in which
//     they were sent, including the last ones before it disconnects.
//  3. String and integer ids keep their type, and integers every digit.
//  4. Every handshake is answered, on every transport, even if a client sends
//     its next packet before it has received the answer to the last one.
//  5. When Close returns, all answers and handlers have returned, the port is
//     free, and no goroutine of the server is left: goleak needs no exceptions.
//  6. It writes nothing to stdout and stderr, and does not handle signals.
//
// The page docs/protocol-rules.md lists the rules of the protocols, with the
// test of each.
//
// # Hours in milliseconds
//
// [NewInMemory] starts a backend without a port, whose connections are pipes.
// In a bubble of testing/synctest all waits take no time: pauses of an answer,
// reconnects, heartbeats, timeouts.
//
//	synctest.Test(t, func(t *testing.T) {
//		server := chattest.NewInMemory(chattest.Config{Answer: chattest.Say("one two three", 20*time.Minute)})
//		defer server.Close()
//		client, err := chat.New(server.URL, chat.Config{
//			ChatID: events.StringID("room-1"),
//			Stream: chat.StreamConfig{FirstTokenTimeout: time.Hour, IdleTimeout: time.Hour},
//			Conn:   conn.Config{HTTP: server.Transport()},
//		})
//		…
//	})
//
// The client's Run and the server have to end before the function of the bubble
// returns.
//
// # Limits
//
// It serves every path, and web pages of any origin. If a client reads too
// slowly, its events are held in memory without limit. It is made for tests; do
// not expose it to the internet.
package chattest
