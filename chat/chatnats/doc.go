// Package chatnats carries AI chats past one machine, on NATS JetStream. One
// instance holds the chat's socket and forwards its events. Any number of
// processes subscribe to them, share work on them, and speak through the holder.
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
//	// Speakers, anywhere. Lease is the id that was given to RunWithLease.
//	remote := &chatnats.Remote{Bus: b, ChatID: room, Lease: room}
//	answer, err := remote.Ask(ctx, chat.Question{UserID: user, Text: "Hello"})
//
// It needs a NATS server of version 2.14 or later: fast ingest, consumers that
// can be reset, pinned consumers. docs/chatnats.md says how to size it, and what
// happens when a part fails.
//
// # What is stored
//
// An event is published under prefix.chat.KEY, such as parley.room-1.AI_TOKEN.
// The stream works out the chat's partition and keeps the event under
// prefix.partition.chat.KEY. The body is the payload's JSON. Headers name the
// request ([HeaderRequest]), the trace ([HeaderTrace]), the lease and the
// revision of its tenure ([HeaderLease]), the chat if its id is long
// ([HeaderChat]), and the event (Nats-Msg-Id): a hash of the chat, the kind,
// the event's own ids and its content. An event without ids (status, presence,
// errors) gets an id of its own.
//
// # Guarantees
//
//  1. Stored once: the stream drops an event whose id it has seen within
//     Config.DuplicateWindow, whichever forwarder publishes it. Forward ends
//     with [ErrAway] before an event that may be stored gets as old as that.
//  2. Nothing different is dropped: an edited message, or another answer under
//     the same request id, has another id.
//  3. In order: the events of one [Forwarding] are stored in the order in which
//     they came, over lost connections, restarts, and changes of the stream's
//     leader. Across a change of holder the order of a chat is that of what
//     each holder heard.
//  4. Nothing accepted is lost: an event that Forward has taken from its source
//     is stored, is reported to ForwardConfig.OnRefused, or is in the error that
//     Wait returns. It dies with its process. So does what the backend says
//     while there is no holder.
//  5. An event that can never be stored holds no other one up.
//  6. A [Feed] has each event once and in order, while the stream keeps it
//     (Config.MaxAge, Config.MaxBytes). A durable one has each at least once: it
//     acknowledges the events that its readers have taken from their channels.
//  7. [Work] handles each event at least once, those of a chat one after the
//     other in order, in one worker at a time. Delivery.Redelivered marks
//     possible repetitions. An event that is being handled while its process is
//     stopped for longer than the TTL may be handled by two at once.
//  8. Two instances never hold a lease at once, by the clock of either: the
//     holder's time ends a quarter of the TTL before another one's can begin. It
//     depends on no clock being right, only on them running at the same speed.
//  9. Readers drop the events of a holder that had lost its lease, where they
//     would be out of order. docs/chatnats.md says which ones they keep.
//  10. A [Remote] speaks at most once: a request that may have been sent is not
//     sent again, and its error says so. A request that a holder has not taken
//     goes to the next one.
//  11. An answer goes to its asker alone, a request speaks in the chat of its
//     subject alone, and a reply goes to an inbox alone.
//
// # While NATS is away
//
// Forward keeps up to ForwardConfig.Buffer events. Then Publish blocks, and with
// it the socket. After ForwardConfig.Patience it ends with a [*ForwardError].
// Feeds and workers wait and go on. A holder that cannot renew its lease loses
// it. A Remote's calls end with their Deadline.
package chatnats
