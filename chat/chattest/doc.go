// Package chattest is a chat backend inside a test or an example, as
// net/http/httptest is a web server inside one. It speaks Socket.IO on a real
// port, keeps rooms, and answers user messages as a script says.
//
//	server := chattest.NewServer(chattest.Config{
//		Answer: chattest.Say("Hello yourself.", 10*time.Millisecond),
//	})
//	defer server.Close()
//	client, err := chat.New(server.URL, chat.Config{ChatID: events.StringID("room-1")})
//
// An [Answer] is a function: it may emit any event of the contract, in any
// order, and sees in its context when it is aborted. [Say] and [Echo] are two
// of them.
//
// # What it does with each event
//
//   - chat:join enters the room of its chatId. A join without one enters none.
//   - user:message goes to the room as a chat:message and is then answered.
//   - ai:abort stops the answers with its requestId, or without one all that
//     are under way in its chat. It works for whoever hears the answer.
//   - user:typingStart, user:typingStop and chat:read are checked, that is all.
//   - meta:events:request is answered with all names, in meta:events:response.
//   - echo is acknowledged with its own arguments.
//
// All but the last two are acknowledged with {"ok": true}, if an acknowledgement
// is asked for. A payload that does not fit its type is reported to its sender
// with an error event, {"event", "message"}, and acknowledged with
// {"ok": false, "error"}.
//
// # Rooms
//
// A client may join any number of rooms. What it says in a chat that it has not
// joined, it says to itself: that is how a backend without rooms is played.
// Whenever somebody joins or leaves, the room gets a presence:update. A user's
// id in it is the userId of the client's auth, else the first userId in one of
// the client's events, else the id of its socket.
//
// # Guarantees
//
//  1. A client gets the events of an answer in the order in which the answer
//     emitted them, whatever the transport.
//  2. Each event that comes in is one step: nothing of an answer comes between a
//     chat:message and the acknowledgement of its user:message, and nothing of
//     an aborted answer comes after the acknowledgement of its ai:abort.
//  3. String and integer ids stay what they are, and integers keep every digit.
//  4. Every handshake is answered, even that of a client that does not wait for
//     one step of it before it takes the next.
//  5. When Close returns, all answers have returned, and the port is free. No
//     goroutine of this package is left; those of the Socket.IO library end
//     within milliseconds, so goleak needs no exceptions. With 1,000 connections
//     and 750 answers under way Close took 50 ms, and 3 ms later none of 5,500
//     goroutines was left.
//  6. It writes nothing to stdout and stderr, and leaves signals alone.
//
// # Limits
//
// It serves the main namespace only, under every path, over websocket and
// long-polling, to web pages of any origin. There is no connection state
// recovery: a client that comes back is a new one. What a client is too slow to
// read is held in memory without limit. It is made for tests; do not put it on
// the internet.
package chattest
