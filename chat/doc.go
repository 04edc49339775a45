// Package chat is a client for AI chat backends that use Socket.IO. Server
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
// Each kind of event has a topic, a field of [Client]. Chan(ctx) subscribes to
// it; Subscribe(ctx, options…) also sets a policy for slow readers.
//
//  1. A subscription lasts until its ctx ends or the client is closed, over any
//     number of reconnects and Runs. Subscribing before Run misses nothing.
//  2. Client.Events carries all kinds of events in wire order. Two channels in
//     one select have no order between them: a final message may be received
//     before the last tokens.
//  3. A payload of the wrong type, or without a required field, is reported on
//     Client.DecodeErrors and reaches no typed topic.
//  4. Fields outside of the contract are kept in Extra.
//  5. [On] subscribes to any other event and decodes it into a type of the
//     caller. Client.Raw carries every event with all its arguments.
//  6. Client.ServerErrors carries the server's own error event. A rejected
//     handshake and a disconnect by the server are reported by Run's error and
//     on Client.States.
//
// # Questions and answers
//
// [Client.Ask] sends a question and returns a [Stream] of its answer.
// [Client.Answer] returns only the final message.
//
//  1. A stream has the events of its own question, matched by requestId. Any
//     number of questions may be in flight on one client.
//  2. Tokens are delivered in the order of their indices, each once. A token
//     that arrives early is buffered until the tokens before it have arrived; a
//     repeated token is dropped.
//  3. Config.Stream limits the wait for a missing token, and the number of
//     buffered tokens. At either limit the final message fills the gap, or the
//     stream ends with a [GapError].
//  4. A stream keeps its answer. Any number of readers can read it, late,
//     slowly or not at all, and none delays another reader or the connection.
//  5. A stream keeps at most 65,536 tokens, as many other events, and 16 MiB in
//     total. A longer answer ends it with [ErrTooLong].
//  6. A stream ends once. Each call of [Stream.Wait] returns the same result.
//
// [Stream.Tokens] is a channel, [Stream.Text] and [Stream.Events] are
// iterators, and [Stream.Progress] is a snapshot.
//
// The first of these events ends a stream. Where the last column has "yes", the
// stream first sends ai:abort with the requestId, if there is a session, and
// ends when the abort is written, within a second.
//
//	event                                           Wait's error                  abort
//	the final message, with or without tokens       nil                           no
//	the final message, but tokens are missing,      *GapError                     no
//	  and it cannot or must not fill the gap
//	tokens are missing, and FailOnGap               *GapError                     yes
//	ai:error                                        *events.AIError               no
//	the end of Ask's ctx                            the ctx's error               yes
//	Stream.Abort, Client.Abort                      ErrAborted                    yes
//	an abort of another member, forwarded           ErrAborted                    no
//	no token or message for FirstTokenTimeout       ErrNoToken                    yes
//	no event at all, and the session was lost:      ErrQuestionLost               yes
//	  LostTimeout after Ready, unless AskAgain
//	no event for IdleTimeout, while connected       ErrStalled                    yes
//	  and no tool runs for it
//	no connection for OfflineTimeout                ErrOffline                    no
//	an event without requestId that may be for      ErrAmbiguous                  yes
//	  this question or for another
//	more than a stream keeps                        ErrTooLong                    yes
//	an error of StreamConfig.Resume                 that error, wrapped           yes
//	Close, or the end of Run                        ErrStopped, and Run's error   yes
//
// The timeouts of StreamConfig start when the question is written. Until then
// only Ask's ctx limits the wait.
//
//	field              applies while             counts from the latest of
//	FirstTokenTimeout  no token or message has   the question
//	                   arrived, Ready or not
//	IdleTimeout        Ready, no tool runs       the question, the last event,
//	                                             the last tool's end, Ready
//	LostTimeout        Ready, no event has       Ready, the question
//	                   arrived, and the session
//	                   was lost
//	OfflineTimeout     not Ready                 the question, the end of Ready
//	GapTimeout         a token is missing        the first token after the gap
//
// # Lost sessions
//
// Open streams continue after a reconnect.
//
//  1. If the server resumes the session, no event is missing, and the new
//     session has the same epoch (see [conn.State]).
//  2. Otherwise StreamConfig.Resume can ask the backend for the missing tokens.
//     It is called for each stream of an earlier epoch when the client is
//     Ready. If the session ends before Resume returns, the next session calls
//     it again.
//  3. The text of the final message is the whole answer. With FillGap, the
//     default, it replaces the tokens that are still missing. If no token at
//     all has arrived, it comes as one token with either policy.
//  4. If no event of the answer had arrived, the question was probably lost.
//     After StreamConfig.LostTimeout the stream ends with [ErrQuestionLost], or
//     asks again with the same ids if StreamConfig.OnLost is [AskAgain].
//     [Stream.Question] returns the question with its ids.
//
// # Backends without requestId
//
// A backend may leave requestId out while one question at a time is in flight
// in a chat. A stream ends with [ErrAmbiguous] before it would return the
// answer to another question.
//
//  1. With several questions in flight, a token, message or error may belong to
//     any of them, so all of them end with [ErrAmbiguous]. The typed topics
//     still carry the event.
//  2. The answer to a question whose stream ended before it may still arrive.
//     Once the backend has left requestId out, Ask waits until that answer has
//     ended, for at most StreamConfig.AbandonedTimeout and until ctx ends.
//  3. The same applies to the answers to messages of SendMessage and Deliver,
//     and to chat:message events of other users.
//  4. If such an answer is possible while a question is in flight, the next
//     token, message or error without requestId ends its stream.
//  5. So does an index again with other text, an index out of turn, or a final
//     text that does not begin with the tokens.
//
// The page docs/delivery-guarantees.md lists the cases without any sign.
//
// # Sending
//
// Every payload is one object with chatId, then Config.Meta, then the event's
// own fields. A later field replaces an earlier one of the same name. This
// includes the join, discovery, [Client.Emit] and the results of tools that are
// sent as events.
//
// Methods that send wait until the client is Ready (connected, and its rooms
// joined) and the event is written, or until their ctx ends.
//
//  1. Their error is a [conn.SendError]. It reports whether the event may have
//     been sent.
//  2. An event that a session has not begun to write is sent on the next one.
//     An event that may have been written is not sent again.
//  3. Typing is volatile: without a session it is dropped.
//
// # Delivery
//
// [Client.Deliver] sends a message until the server acknowledges it.
//
//  1. Each attempt has the same messageId. The next attempt follows when no
//     acknowledgement has arrived within Delivery.AckTimeout, or the session is
//     lost. On one session the acknowledgement of any attempt counts.
//  2. Messages are sent one at a time, in the order of the calls. They share
//     their queue with the events of [Client.DeliverEvent].
//  3. The server gets each message at least once, or the caller gets a
//     [DeliveryError], which reports whether the server may have it. With a
//     Delivery.MaxAttempts of 1 the server gets it at most once.
//  4. At most Delivery.MaxPending messages wait. One more is rejected with
//     [ErrQueueFull].
//
// # Shutdown
//
// [Client.Shutdown] closes the client when the work in progress has ended: open
// streams with their tool calls, and calls of methods. One rule applies to all
// methods that send and wait:
//
//	call                               during Shutdown
//	began before                       is finished, over a reconnect if necessary
//	has a ctx of work in progress,     begins
//	  such as a tool's or Resume's
//	any other                          fails with conn.ErrClosed; nothing is sent
//
// The volatile methods, those of typing, fail in any case.
//
// # Rooms
//
// After each connect the order is Config.Conn.OnConnect, discovery, the joins,
// Ready. An error of OnConnect ends the session, and the next session calls it
// again; an error marked with reconnect.Permanent ends Run.
//
//  1. The room of Config.ChatID is joined after each connect, unless
//     Config.NoJoin is set. The event has the name of events.KeyJoin, and the
//     fields of Config.JoinPayload.
//  2. With a Config.JoinTimeout the server must acknowledge the join. A refusal
//     ends Run with a [JoinError], which has the server's reply, unless
//     Config.Conn.Retry returns true. Without a reply the session ends, and the
//     next session joins again.
//  3. [Client.Join] joins further rooms on the same connection, and
//     [Client.Leave] leaves them. A refusal is then Join's error, and Run
//     continues.
//  4. After Join has returned nil, its room is joined after each connect, like
//     the room of Config.ChatID and with the same consequences.
//     [Client.JoinShared] joins a room for one part of a program. The room is
//     left after the last of them, unless Join was called for it as well.
//  5. Joins and leaves of a room take effect in their order. A Join returns
//     [ErrLeft] if Leave is called before it returns.
//  6. While rooms are joined after a connect, Join and Leave use that session
//     and do not wait for Ready.
//  7. Every topic carries the events of all rooms. [InRoom] limits a
//     subscription to one room.
//  8. In an event that is sent, the zero ChatID means the client's own.
//
// # Names
//
// Each event has a key ([events.Key]) and a name on the wire. The first of
// these sources that has a name decides:
//
//	Config.NameFunc      overrides every other source
//	Client.SetNames      names set at run time
//	Discovery            names that the server has sent
//	Config.Names         names set in the Config
//	Key.DefaultName      the default names
//
// Client.EventName returns the current name of a key. Client.Names carries all
// current names first, then each change.
//
//  1. A change takes effect at once and atomically, for sending and for
//     receiving: it neither loses nor repeats an event. The join has its new
//     name from the next connect on.
//  2. With Discovery.Enabled the client asks the server for its names after
//     each connect, before the join. It waits at most Discovery.Timeout and
//     then keeps the names that it has.
//  3. The names of a response are logged, and apply to the very next event.
//  4. A response that arrives at any other time is ignored, unless
//     Discovery.AcceptPushed is set.
//  5. A response that is not an object is reported on Client.DecodeErrors.
//
// # Tools
//
// [HandleTool] adds a tool that the backend can call.
//
//  1. The result is the acknowledgement of ai:tool_call if the backend asked
//     for one. Otherwise it is sent as an event.
//  2. Up to Tools.MaxConcurrent calls run at the same time, each in a goroutine
//     that ends with the call.
//  3. A panic is logged with its stack. The backend gets an error without the
//     stack.
//  4. A call's ctx ends when its request has failed or was aborted, by either
//     side.
//  5. A call for an open stream is part of the stream's work. During Shutdown
//     it still starts, and may send.
//
// # Observers
//
// Config.Observers receive the steps of questions, answers, tools and
// deliveries, and those of package conn. An observer has one or more of the
// methods of the interfaces whose names end in Observer, such as [AskObserver]
// and [AnswerEndObserver]. Module chat/chatotel makes spans and metrics of
// them, and package chat/chatdebug serves a page with the state of clients.
//
// # Functions of the Config
//
// NameFunc, JoinReply, StreamConfig.Resume, Conn.OnConnect, Conn.Auth and tools
// run under no lock and may call the client.
//
// Auth, OnConnect, and JoinReply for a join after a connect, run before the
// client is Ready. In them a method that waits for Ready blocks. OnConnect
// sends on its session. JoinReply may call Join and Leave, which use the
// session that is being joined.
package chat
