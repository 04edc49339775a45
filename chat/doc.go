// Package chat is a client for AI chat backends that speak Socket.IO. Server
// events arrive on channels; methods send messages.
//
//	client, err := chat.New("http://localhost:4000", chat.Config{ChatID: events.StringID("room-1")})
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	go client.Run(ctx)
//
//	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: "Hello"})
//	if err != nil {
//		return err
//	}
//	for token := range stream.Tokens() {
//		fmt.Print(token.Token)
//	}
//	message, err := stream.Wait()
//
// # Topics
//
// Each kind of event has a topic, a field of [Client]: subscribe with
// Chan(ctx), or with Subscribe(ctx, options…) to say what happens when the
// reader is slow. Subscribing before Run loses nothing. A subscription lives until
// its ctx ends or the client is closed, over any number of reconnects and Runs.
//
//  1. Client.Events carries all kinds of events in the order of the wire. Two
//     channels in one select are in no order between them: a final message
//     may overtake the last tokens.
//  2. A payload that has not the type of its topic, or lacks a required field,
//     is reported on Client.DecodeErrors instead.
//  3. Fields that the contract does not name are kept, in Extra.
//  4. [On] subscribes to any other event, decoded into a type of your own;
//     Client.Raw carries every event with all its arguments.
//  5. Client.ServerErrors carries the server's own error event. A rejected
//     handshake and a disconnect by the server are reported by Run's error and
//     on Client.States.
//
// # Questions and answers
//
// [Client.Ask] gives a [Stream]: the answer to this one question, in the order of
// the tokens' indices, each token once. Answers are matched by requestId, so any
// number of questions may be in flight on one client. [Client.Answer] is Ask for
// those who want the final message only.
//
// A token that arrives early is held back until those before it have arrived; a
// repeated one is dropped. Config.Stream sets how long to wait for a missing
// token, and how many to hold back meanwhile. Then the final message fills the
// gap, or the stream ends with a [GapError].
//
// A stream keeps its answer. It can be read by any number of readers, late,
// slowly, or not at all, and none of them holds up another or the connection; of an
// answer without end it keeps 65,536 tokens, as many other events, and 16 MiB of all.
// [Stream.Tokens] is a channel, [Stream.Text] and [Stream.Events] are iterators,
// [Stream.Progress] is how far it has come.
//
// A stream ends once, with the first of the following; each call of
// [Stream.Wait] returns the same result. Where the table says so, the backend
// is sent ai:abort with the requestId, if there is a session for it. The stream
// then ends when the abort is written, at most a second later:
//
//	what has come                                   Wait's error                  abort
//	the final message, with or without tokens       nil                           no
//	the final message, but tokens are missing,      *GapError                     no
//	  and it cannot or must not fill the gap
//	tokens are missing, and FailOnGap               *GapError                     yes
//	ai:error                                        *events.AIError               no
//	the end of Ask's ctx                            the ctx's error               yes
//	Stream.Abort, Client.Abort                      ErrAborted                    yes
//	another member's abort, passed on               ErrAborted                    no
//	no token or message for FirstTokenTimeout       ErrNoToken                    yes
//	no event for IdleTimeout, while connected       ErrStalled                    yes
//	  and no tool runs for it
//	no connection for OfflineTimeout                ErrOffline                    no
//	an event without requestId that may be for      ErrAmbiguous                  yes
//	  this question or for another
//	more than a stream keeps                        ErrTooLong                    yes
//	an error of StreamConfig.Resume                 that error, wrapped           yes
//	Close, or the end of Run                        ErrStopped, and Run's error   if it can be
//
// The timeouts of StreamConfig begin when the question is written; until then
// only Ask's ctx bounds the wait:
//
//	field              applies while             counts from the latest of
//	FirstTokenTimeout  no token or message has   the question
//	                   come, Ready or not
//	IdleTimeout        Ready, no tool runs       the question, the last event,
//	                                             the last tool's end, Ready
//	OfflineTimeout     not Ready                 the question, the end of Ready
//	GapTimeout         a token is missing        the first token after the gap
//
// When a session is lost, streams go on. If the server resumes it, the new
// session has the same epoch (see [conn.State]), and nothing is missing. If
// not, StreamConfig.Resume can ask the backend for the tokens after the last
// one. It is called when the client is Ready, for each stream that was asked in
// an earlier epoch, until it has returned on a session that lasted as long. The
// final message, whose text is the whole answer, fills what is still missing.
//
// A backend that leaves requestId out is understood as long as one question at
// a time is in flight in the chat. With several, a token may be for any of
// them, so they end with [ErrAmbiguous]; the typed topics carry it all the same.
// An abandoned question counts as in flight for another 5 seconds, since the
// backend may still answer it. Tokens that can only be the middle of that answer
// are ignored. When the next answer has clearly begun, the abandoned question is
// forgotten.
//
// # What goes out
//
// Every payload is one object: chatId, then Config.Meta, then the event's own
// fields, a later one winning over an earlier one of the same name. This holds
// for the join, discovery, the results of tools that go out as events, and for [Client.Emit] as well.
//
// The methods that send wait until the client is Ready (connected, and its rooms
// joined) and the event is written, or until their ctx ends. Their error is a
// [conn.SendError], which says whether the event may have been sent. An event
// that a session has not begun to write is sent on the next one; an event that
// may have been written is not sent again. Typing is volatile: without a session
// it is dropped.
//
// # Delivery
//
// [Client.Deliver] is the exception that a caller asks for: it sends a message
// until the server acknowledges it.
//
//  1. Each attempt carries the same messageId. The next one is made when no
//     acknowledgement has come for Delivery.AckTimeout, or the session is lost.
//  2. Messages go out one at a time, in the order of the calls.
//  3. A server gets each message at least once, or the caller gets a
//     [DeliveryError], which says whether it may have got it. With a
//     Delivery.MaxAttempts of 1 it gets it at most once.
//  4. At most Delivery.MaxPending messages wait; one more is refused with
//     [ErrQueueFull].
//
// # Rooms
//
// After each connect Config.Conn.OnConnect runs first, then discovery, then the
// joins; then the client is Ready. An error of OnConnect ends the session, and
// the next one calls it again; one marked with reconnect.Permanent ends Run.
//
// The room of Config.ChatID is joined after each connect, before the client is
// Ready: with the event that is the name of events.KeyJoin, and Config.JoinPayload for its own fields; not
// at all with Config.NoJoin. With a Config.JoinTimeout the server has to
// acknowledge it. A refusal ends Run with a [JoinError] that carries the server's
// reply, unless Config.Conn.Retry says to try again; without an answer the session ends, and the next one tries.
//
// [Client.Join] enters further rooms on the same connection, and [Client.Leave]
// leaves them. A refusal is then Join's error, and Run goes on. A room that has
// been joined is one like that of Config.ChatID: joined after each connect,
// with the same consequences. Joins and leaves of a room take effect in their
// order: a Join that is overtaken by a Leave returns with [ErrLeft]. While the
// rooms are joined after a connect, Join and Leave act on that session and do
// not wait for Ready. Every topic carries the events of all rooms; [InRoom]
// narrows a subscription down to one. The zero ChatID in what is sent stands
// for the client's own.
//
// # Names
//
// Events are known by keys ([events.Key]), and travel under names. Each of these
// has precedence over those below it:
//
//	Config.NameFunc      overrides every other source
//	Client.SetNames      names set at run time
//	Discovery            names that the server has sent
//	Config.Names         names set in the Config
//	Key.DefaultName      the default names
//
// A change takes effect at once and atomically, for sending and for receiving:
// no event is lost or delivered twice by it. The join has its new name from the
// next connect on.
//
// With Discovery.Enabled the server is asked for its names after each connect,
// before the join, so that the join has its discovered name. The client waits
// at most Discovery.Timeout and goes on with the names it has. A later response
// is ignored, unless Discovery.AcceptPushed is set: then the server may send
// names at any time. A response that is no object is reported on
// Client.DecodeErrors. The names are in force for the event that follows the
// response. They are logged.
//
// Client.EventName returns the name in force for a key. Client.Names carries
// all of them: the current ones first, then each change.
//
// # Tools
//
// [HandleTool] adds a tool that the backend can call. Its result is the
// acknowledgement of ai:tool_call if the backend wants one, else an event of its own. Calls
// run side by side up to Tools.MaxConcurrent, each in a goroutine that ends with the
// call. A panic is logged with its stack and sent as an error without it. A
// call's ctx ends when its request is aborted or has failed, on whichever side.
// A call for an open stream belongs to the work of the stream: it begins during
// Shutdown as well, and may send.
//
// # Functions of the Config
//
// NameFunc, JoinReply, StreamConfig.Resume, Conn.OnConnect, Conn.Auth and tools
// run under no lock and may call the client. Auth, OnConnect, and JoinReply for
// a join after a connect, run before the client is Ready, so a method that
// waits for Ready would wait for them. OnConnect sends on its session.
// JoinReply may call Join and Leave, which act on the session that is being
// joined.
package chat
