// Package chatnats carries AI chats past one machine, on NATS JetStream. One
// instance holds the chat's socket and forwards what it hears; any number of
// processes subscribe to that, share work on it, and speak through the holder.
//
//	conn, err := nats.Connect(url, nats.MaxReconnects(-1)) // or url of chatnats.Embedded(dir)
//	b, err := chatnats.Open(ctx, conn, chatnats.Config{})
//
//	// Holders: one of them at a time has the socket.
//	err = chatnats.RunWithLease(ctx, b, room, chatnats.LeaseConfig{}, func(ctx context.Context) error {
//		client, err := chat.New(backend, chat.Config{ChatID: room})
//		…
//		forwarding, err := chatnats.Forward(ctx, b, client.Events, chatnats.ForwardConfig{})
//		…
//		go client.Run(ctx)
//		go chatnats.Serve(ctx, b, client, room)
//		return forwarding.Wait()
//	})
//
//	// Readers, anywhere: the topics of a client.
//	feed, err := chatnats.Subscribe(ctx, b, chatnats.SubscribeConfig{})
//	tokens := feed.Tokens.Chan(ctx)
//	go feed.Run(ctx)
//
//	// Workers, anywhere: each request goes to one of them.
//	err = chatnats.Work(ctx, b, chatnats.GroupConfig{Name: "summaries"}, handle)
//
//	// Speakers, anywhere.
//	remote := &chatnats.Remote{Bus: b, ChatID: room}
//	answer, err := remote.Ask(ctx, chat.Question{UserID: user, Text: "Hello"})
//
// It needs a NATS server of version 2.14 or later: fast ingest, consumers that can be
// reset, pinned consumers. docs/chatnats.md says how to size it, and what
// happens when.
//
// # What is stored
//
// An event is published under prefix.chat.KEY, such as parley.room-1.AI_TOKEN.
// The stream works out the chat's partition and keeps the event under
// prefix.partition.chat.KEY. The body is the payload's JSON; headers name the
// request ([HeaderRequest]), the trace ([HeaderTrace]) and the event
// (Nats-Msg-Id): chat, key, request and index for a token; the message's or the call's
// id for messages and tools; one of the forwarder's own for what has no identity (status,
// presence, errors).
//
// # Guarantees
//
//  1. Stored once: the stream drops an event whose id it has seen within
//     Config.DuplicateWindow, whoever publishes it. Forward gives up ([ErrAway]) before
//     an event that it may have sent gets as old as that.
//  2. In order: the events of one [Forwarding] are stored in the order in which
//     they came, over lost connections, restarts, and changes of the stream's leader.
//     While one holder follows another, the order of a chat is that of what each heard.
//  3. Nothing accepted is lost: what Forward has taken from its source is stored,
//     or is in the error that Wait returns. It dies with its process; so does what was said while
//     nobody held the socket. A backend that repeats an answer to whoever joins
//     brings both back, and the stream drops what it has.
//  4. A [Feed] has each event once and in order, while the stream keeps it
//     (Config.MaxAge, Config.MaxBytes). A durable one has each at least once: it
//     acknowledges what its readers have taken from their channels.
//  5. [Work] handles each event at least once, those of a chat one after the other
//     in order, in one worker at a time; what may be a repetition says so
//     (Delivery.Redelivered). "Handled by one at a time" is up to an event in the hand of a
//     process that is stopped for longer than the TTL.
//  6. Two never hold a lease at once, by the clock of either: the holder's
//     time ends a quarter of the TTL before anybody else's can begin. It depends on no clock
//     being right, only on them running at the same speed.
//  7. A [Remote] speaks at most once: what may have been sent is not sent again,
//     and its error says so.
//
// # While NATS is away
//
// Forward keeps up to ForwardConfig.Buffer events, then holds up whoever
// publishes them, which in the end is the socket; after ForwardConfig.Patience it
// ends with a [*ForwardError]. Feeds and workers wait and go on. A holder
// that cannot renew its lease loses it. A Remote's calls end with their Deadline.
package chatnats
