// Package chat is a client for AI chat backends that speak Socket.IO. What the
// backend streams comes on Go channels; what people say goes out through verbs.
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
//  2. What reaches a typed topic has its type: a payload that has not, or
//     that lacks a required field, goes out on Client.DecodeErrors instead.
//  3. Fields that the contract does not name are kept, in Extra.
//  4. [Topic] is any other event, in a type of one's own; Client.Raw is every
//     event, whatever its name, with all its arguments.
//  5. Client.ServerErrors carries the server's own error event. That a
//     handshake was refused, or the client put out, is told by Run's error and
//     on Client.States.
//
// # Questions and answers
//
// [Client.Ask] gives a [Stream]: the answer to this one question, in the order of
// the tokens' indices, each token once. Answers are matched by requestId, so any
// number of questions may be in flight on one client. [Client.Answer] is Ask for
// those who want the final message only.
//
// A token that comes before its turn is held back, one that comes again is
// dropped, and one that is missing is waited for: Config.Stream says for how
// long, how many may be held back meanwhile, and whether the final message then
// fills the gap or the stream ends with a [GapError].
//
// A stream keeps its answer. It can be read by any number of readers, late,
// slowly, or not at all, and none of them holds up another or the connection; of an
// answer without end it keeps 65,536 tokens, as many other events, and 16 MiB of all.
// [Stream.Tokens] is a channel, [Stream.Text] and [Stream.Events] are iterators,
// [Stream.Progress] is how far it has come.
//
// It ends once, with what comes first; [Stream.Wait] says with what, however often it is
// asked. Where an abort is due, the backend is sent ai:abort with the requestId, if
// there is a session to send it on, and the stream ends when that is written or after a second:
//
//	what has come                                   Wait's error                  abort
//	the final message, with or without tokens       nil                           no
//	the final message, but tokens are missing,      *GapError                     no
//	  and it cannot or shall not bridge them
//	tokens are missing, and FailOnGap               *GapError                     yes
//	ai:error                                        *events.AIError               no
//	the end of Ask's ctx                            the ctx's error               yes
//	Stream.Abort, Client.Abort                      ErrAborted                    yes
//	somebody else's abort, passed on by the backend ErrAborted                    no
//	no token or message for StreamConfig.FirstTokenTimeout      ErrNoToken                    yes
//	nothing for StreamConfig.IdleTimeout, while connected    ErrStalled                    yes
//	  and no tool is run for it
//	no connection for StreamConfig.OfflineTimeout               ErrOffline                    no
//	an event without requestId that may be for      ErrAmbiguous                  yes
//	  this question or for another
//	more than a stream keeps                        ErrTooLong                    yes
//	an error of StreamConfig.Resume                      that error, wrapped           yes
//	Close, or the end of Run                        ErrStopped, and Run's error   if it can be
//
// When a session is lost, streams go on. If the server resumes it, nothing is
// missing. If not, StreamConfig.Resume can ask the backend for what follows the last token; what
// is missing still is bridged by the final message, whose text is the whole answer.
//
// A backend that leaves requestId out is understood as long as one question at
// a time is in flight in the chat. With several, a token may be for any of
// them, so they end with [ErrAmbiguous]; the typed topics carry it all the same.
// A question that was given up counts as in flight for another 5 seconds, since
// the backend may still be answering it; what can only be the middle of that answer is passed
// over, and where the next one has clearly begun, it is forgotten.
//
// # What goes out
//
// Every payload is one object: chatId, then Config.Meta, then the event's own
// fields, a later one winning over an earlier one of the same name. This holds
// for the join, discovery, the results of tools that go out as events, and for [Client.Emit] as well.
//
// Verbs wait until the client is Ready (connected, and its rooms joined) and
// the event is written, or until their ctx ends. A failed one says in a
// [conn.SendError] whether the event may have been sent. What a session has not
// begun to write goes out on the next one; nothing that may have been
// written is sent again. Typing is volatile: without a session it is dropped.
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
// The room of Config.ChatID is joined after each connect, before the client is
// Ready: with the event that is the name of events.KeyJoin, and Config.JoinPayload for its own fields; not
// at all with Config.NoJoin. With a Config.JoinTimeout the server has to
// acknowledge it. A refusal ends Run with a [JoinError] that carries the server's
// reply, unless Config.Conn.Retry says to try again; without an answer the session ends, and the next one tries.
//
// [Client.Join] enters further rooms on the same connection, and [Client.Leave]
// leaves them. A refusal is then Join's error, and Run goes on. A room that has been joined is
// one like that of Config.ChatID: joined after each connect, with the same consequences.
// Joins and leaves of a room take effect in their order: a Join that is overtaken by a Leave returns
// with [ErrLeft]. Every topic carries the events of all rooms; [InRoom] narrows a
// subscription down to one. The zero ChatID in what is sent stands for the client's own.
//
// # Names
//
// Events are known by keys ([events.Key]), and travel under names. Each of these
// has precedence over those below it:
//
//	Config.NameFunc      the last word on every name
//	Client.SetNames      at run time
//	Discovery            what the server has told
//	Config.Names         from the start
//	Key.DefaultName      the contract
//
// A change takes effect at once, in one step for what is sent and what is heard: no
// event is lost or heard twice by it. The join has its new name from the next connect on.
//
// With Config.Discovery the server is asked for its names after each connect, before the join, so that the
// join has its learnt name. The client waits Discovery.Timeout at most and goes on
// with the names it has; a response that comes later, or is no object, is passed over.
// What was learnt is in [conn.State].Learnt and in the log, and in force for the very event behind the response.
//
// # Tools
//
// [HandleTool] adds a tool that the backend can call. Its result is the
// acknowledgement of ai:tool_call if the backend wants one, else an event of its own. Calls
// run side by side up to Tools.MaxConcurrent, each in a goroutine that ends with the
// call; what panics is an error, logged with its stack and told without it. A
// call's ctx ends when its request is aborted or has failed, on whichever side.
package chat
