// Package chattest is a chat backend inside a test or an example, as
// net/http/httptest is a web server inside one. It speaks Socket.IO on a real
// port, keeps rooms, answers user messages as a script says, fails as a script says, and
// remembers what clients have sent.
//
//	server := chattest.NewServer(chattest.Config{Answer: chattest.Say("Hello yourself.", 0)})
//	defer server.Close()
//	client, err := chat.New(server.URL, chat.Config{ChatID: events.StringID("room-1")})
//	…
//	server.Expect(t, "user:message", map[string]any{"chatId": "room-1", "text": "Hello"})
//
// There are three things to know. An [Answer] is the script of the AI, a function that is
// given a question. A [Handler], see [Server.Handle], has the first word on one kind of
// event that comes in. A [Socket] is one client as the backend sees it: it can be sent anything, asked for an
// acknowledgement, cut off, and put out.
//
// # Cookbook
//
// An answer is plain Go. It may emit every event of the contract, in any order, with any index; wait, on ctx too;
// branch on the text of the question; and go on as another answer, [Say] and [Echo] being two of them.
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
//			<-ctx.Done() // until the question is aborted, or its asker gone
//		case "gap":
//			emit(events.AIToken{Token: "first ", Index: 0})
//			emit(events.AIToken{Token: "third", Index: 2})
//		case "wrong shape":
//			asker.Emit(ctx, "ai:token", map[string]any{"requestId": q.RequestID, "index": "zero"})
//		case "tool":
//			result, err := chattest.CallTool(ctx, events.AIToolCall{CallID: "c1", ToolName: "clock"})
//			…
//		case "cut":
//			emit(events.AIToken{Token: "Well…"})
//			socket.CloseNow() // with Config.Recovery the answer can go on after that
//		case "kick":
//			socket.Disconnect()
//		}
//	}
//
// What a backend does before it answers, or instead:
//
//	server.Handle("chat:join", chattest.Refuse(errors.New("the room is full")))     // a *chat.JoinError
//	server.Handle("chat:join", chattest.Refuse(chattest.ErrNoReply))             // no acknowledgement, ever
//	server.Handle("meta:events:request", chattest.Refuse(chattest.ErrNoReply))   // no discovery
//	server.Handle("user:message", func(_ context.Context, r chattest.Received) (any, error) {
//		r.Socket.CloseNow()                                // the message has come,
//		return nil, chattest.ErrNoReply            // and its sender does not know
//	})
//	server.Handle("ai:resume", func(ctx context.Context, r chattest.Received) (any, error) {
//		var from struct{ RequestID string; After int }
//		if err := r.Decode(&from); err != nil {
//			return nil, err
//		}
//		return nil, r.Socket.Emit(ctx, "ai:token", …) // an event of the backend's own
//	})
//	server.Handle("chat:join", nil)                   // as before
//
// What happens without anybody asking:
//
//	server.Emit(room, events.ChatMessage{MessageID: "m1", UserID: bob, Text: "Hello"}) // to a room
//	server.Sockets()[0].Emit(ctx, "error", map[string]string{"message": "maintenance"}) // to a client
//	server.CloseClientConnections()                                                    // the network fails
//	server.Close(); server, err = chattest.Start(addr, cfg)                             // the backend restarts
//
// Who is let in: Config.Auth refuses a CONNECT, Config.Middleware a request, as any HTTP
// middleware does. Config.Names renames events, which discovery then tells.
//
// What clients have sent: [Server.Expect] waits for the next event of a name and compares
// it, [Server.Next] waits, and [Server.Received] lists.
//
//	server.Expect(t, "chat:join", nil)
//	abort := server.Expect(t, "ai:abort", map[string]any{"requestId": stream.RequestID()})
//	assert.Empty(t, server.Received("user:typingStart"))
//
// # What it does with each event
//
//   - chat:join enters the room of its chatId. A join without one enters none.
//   - chat:leave leaves the room of its chatId.
//   - user:message goes to the room as a chat:message and is then answered.
//   - ai:abort stops the answers with its requestId, or without one all that
//     are under way in its chat. It works for whoever hears the answer.
//   - user:typingStart, user:typingStop and chat:read are checked, that is all.
//   - meta:events:request is answered with all names, in meta:events:response;
//     after [Server.SetNames] that goes to everybody, unasked.
//   - echo is acknowledged with its own arguments.
//
// All but the last two are acknowledged with {"ok": true}, if an acknowledgement
// is asked for. A payload that does not fit its type is reported to its sender
// with an error event, {"event", "message"}, and acknowledged with
// {"ok": false, "error"}. A message that comes twice is answered twice.
//
// # Rooms
//
// A client may join any number of rooms. What it says in a chat that it has not
// joined, it says to itself: that is how a backend without rooms is played.
// Whenever somebody joins or leaves, the room gets a presence:update. A user's
// id in it is the userId of the client's auth, else the first userId in one of
// the client's events, else the id of its socket.
//
// # Recovery
//
// With Config.Recovery a client whose connection was cut gets its session back if it asks for
// it in time: its id, its rooms, and each event that it has missed, once and in order, before anything
// new. Until then it is not present to its rooms, and the answer to its question
// goes on. Each event carries its offset as one more string argument, and the last 4,096 of
// each client are kept: one that has missed more, or has not heard anything yet, comes back as
// a new one. An event that was to be acknowledged is not sent again, and the call of a tool
// fails with [ErrGone] while the client is away.
//
// The Socket.IO library's own recovery is not used, since it loses what is sent between its
// look into its log and the moment the client is in. Here both are one step: of an answer that
// went on while its client was cut off 1,000 times, the client got each token, once and in
// order, and its session back each time.
//
// # Guarantees
//
//  1. A client gets the events of an answer in the order in which the answer
//     emitted them, whatever the transport.
//  2. Each event that comes in is one step: nothing of an answer comes between a
//     chat:message and the acknowledgement of its user:message, and nothing of
//     an aborted answer comes after the acknowledgement of its ai:abort. The
//     events of one client are dealt with one after the other, in the order in which they were
//     sent, the last ones too when it leaves right after.
//  3. String and integer ids stay what they are, and integers keep every digit.
//  4. Every handshake over websocket is answered, even that of a client that does not wait for
//     one step of it before it takes the next.
//  5. When Close returns, all answers and handlers have returned, and the port is free. No
//     goroutine of this package is left; those of the Socket.IO library end
//     within milliseconds, so goleak needs no exceptions. With 1,000 connections
//     and 750 answers under way Close took 50 ms, and 3 ms later none of 5,700
//     goroutines was left.
//  6. It writes nothing to stdout and stderr, and leaves signals alone.
//
// # Hours in milliseconds
//
// [NewInMemory] starts a backend without a port, whose connections are pipes. In a bubble of testing/synctest all
// waits are over at once: pauses of an answer, the backoff of reconnects, heartbeats, limits.
//
//	synctest.Test(t, func(t *testing.T) {
//		server := chattest.NewInMemory(chattest.Config{Answer: chattest.Say("one two three", 20*time.Minute)})
//		defer server.Close()
//		client, err := chat.New(server.URL, chat.Config{
//			ChatID:  events.StringID("room-1"),
//			Stream: chat.StreamConfig{FirstTokenTimeout: time.Hour, IdleTimeout: time.Hour},
//			Conn:    conn.Config{HTTP: server.Transport()},
//		})
//		…
//	})
//
// What runs has to end before the bubble's function returns: the client's Run, and the server by Close.
// What a client says takes a millisecond of the bubble's time to arrive.
//
// # Limits
//
// It serves the main namespace only, under every path, over websocket and
// long-polling, to web pages of any origin. What a client is too slow to
// read is held in memory without limit. It is made for tests; do not put it on
// the internet.
//
// Long-polling is the library's weak side: of 200 connects by polling alone one or two were never
// answered, and the race detector finds races in it. Let a client in a test begin with websocket, as
// it does by default.
package chattest
