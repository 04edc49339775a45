// Package chathttp sends the answers of a chat backend to browsers. It serves
// the UI message stream of the AI SDK (useChat), AG-UI, OpenAI chat
// completions, server-sent events and NDJSON. Each protocol is a handler for an
// *http.ServeMux of the program.
//
//	server, err := chathttp.New(client, chathttp.Config{
//		Authorize: func(r *http.Request) (chathttp.Visitor, error) {
//			user, err := session(r) // of the program
//			return chathttp.Visitor{UserID: user.ID, MayUse: user.Owns}, err
//		},
//	})
//	defer server.Close()
//	mux.HandleFunc("POST /api/chat", server.AISDK)
//	mux.HandleFunc("GET /api/chat/{id}/stream", server.ResumeAISDK)
//	mux.HandleFunc("POST /api/chat/{id}/stop", server.Stop)
//
// New takes one client for all visitors. NewPerVisitor makes a client for each
// user. Both join the room of a question before they ask it; see
// Config.NoJoin.
//
// The page docs/web.md has the mapping of the events for each protocol.
//
// # Requests
//
// Config.Authorize decides about each request. The user id of a question is
// that of the Visitor. The question is the last message of the request, which
// must be the user's. Other messages are not sent to the backend. Requests of
// other origins that ask or stop are refused, and no CORS header is sent.
//
// The server makes the ids of requests. A user finds an answer by its chat or
// its request id, but never the answer of another user. A chat of a user has
// one answer in flight: a new question aborts it.
//
// A request that is refused has an error status. After a response has begun, it
// ends with an error frame, also if the question cannot be sent. A response
// that is one object has the status 502 or 503 instead.
//
// # Readers
//
// An answer can have several readers: tabs, and responses after a reload.
// Config.OnLeave decides about an answer whose last reader has left:
//
//   - AbortOnLeave, the default, aborts it, after Config.LeaveGrace. A closed
//     tab, a reload and the stop function of a client are the same to a server.
//   - ContinueOnLeave lets it continue. It can be resumed until
//     Config.ReplayTime after its end. Only the route of Server.Stop stops it.
//
// # Guarantees
//
//  1. A response never ends as if it were complete, unless the final message
//     has arrived. An error has a frame of its own. If the request's context
//     ends before the answer, the connection is broken with
//     http.ErrAbortHandler.
//  2. Each reader gets the same frames, from the first or from its position.
//     A slow reader delays no other; after Config.WriteTimeout without reading
//     it is disconnected.
//  3. A response begins at once, before the question is sent, and has a comment
//     after each Config.KeepAlive of silence. The timeouts of http.Server do
//     not end it.
//  4. Visitors see the code of an error, and its text only with
//     Config.ShowErrors.
//  5. The size of a body, the open responses, the answers in flight, their
//     time, and the number and memory of ended answers are limited. An answer
//     in flight has the limits of its Answer: 16 MiB for a *chat.Stream, and
//     for the Stream of chatnats.
//  6. After Close, no goroutine and no timer is left. An http.Server must be
//     closed first, or its requests get the status 503.
package chathttp
