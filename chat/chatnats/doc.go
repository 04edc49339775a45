// Package chatnats distributes an AI chat over several processes with NATS
// JetStream. One instance, the holder, has the chat's socket and forwards its
// events. Any number of processes subscribe to these events, share work on
// them, and send through the holder.
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
//	// Senders, anywhere. Lease is the id that was given to RunWithLease.
//	remote := &chatnats.Remote{Bus: b, ChatID: room, Lease: room}
//	answer, err := remote.Ask(ctx, chat.Question{UserID: user, Text: "Hello"})
//
//	// Front ends, anywhere: another process can continue an answer.
//	answers := &chatnats.Answers{Bus: b}
//	answer, err := answers.Ask(ctx, chat.Question{ChatID: room, UserID: user, Text: "Hello"})
//	answer, ok, err := answers.Find(ctx, room, own)
//
// The package needs a NATS server of version 2.14 or later, for fast ingest,
// consumer resets and pinned consumers. docs/chatnats.md describes sizing and
// the consequences of each failure.
//
// # Stored messages
//
// An event is published under prefix.chat.KEY, such as parley.room-1.AI_TOKEN.
// The stream works out the chat's partition and keeps the event under
// prefix.partition.chat.KEY. The body is the payload's JSON. Headers hold the
// request ([HeaderRequest]), the trace ([HeaderTrace]), the lease and the
// revision of its tenure ([HeaderLease]), and the chat if its id is long
// ([HeaderChat]). Nats-Msg-Id is a hash of the chat, the kind, the event's own
// ids and its content. An event without ids (status, presence, errors) gets a
// unique one. A [RawEvent] has the kind RAW, its name in [HeaderEvent], and its
// arguments as the body.
//
// # Guarantees
//
//  1. Stored once: the stream drops an event whose id it has seen within
//     Config.DuplicateWindow, whichever forwarder publishes it. Forward ends
//     with [ErrAway] before an event that may be stored reaches that age.
//  2. Only repetitions are dropped: an edited message, or another answer under
//     the same request id, has another id.
//  3. In order: the events of one [Forwarding] are stored in the order of its
//     source. Lost connections, restarts and changes of the stream's leader do
//     not change that. After a change of holder, the events of each holder are
//     in the order in which it received them.
//  4. Nothing accepted is lost: an event that Forward has received from its
//     source is stored, is reported to ForwardConfig.OnRefused, or is in the
//     error that Wait returns. An event is lost if its process is killed before
//     it is stored, or if the backend sends it while there is no holder.
//  5. An event that can never be stored does not delay the others.
//  6. A [Feed] delivers each event once and in order, while the stream keeps it
//     (Config.MaxAge, Config.MaxBytes). Feed.Gaps reports the others, from
//     SubscribeConfig.Sequence on; with SubscribeConfig.Time, from the first
//     received event on. A durable Feed acknowledges an event when its readers
//     have received it from their channels. With SubscribeConfig.ManualAck the
//     reader acknowledges it, and each event is delivered at least once.
//  7. [Work] handles each event at least once. The events of a chat are handled
//     one after the other in order, by one worker at a time. An event whose
//     attempts fail becomes a [DeadLetter]. Until then it delays the later
//     events of its chat. Other chats of its partition wait only while the
//     chats that fail have 1,024 events; then the delay of [Nak] ends after
//     that of Backoff. Delivery.Redelivered marks possible repetitions. If a
//     process is stopped for longer than the TTL while it handles an event, two
//     workers may handle that event at once.
//  8. Two instances never hold a lease at once: the time of a holder ends a
//     quarter of the TTL before that of the next can begin. Clocks must run at
//     the same speed; they need not show the same time. The instances that
//     compete for the same leases share them evenly.
//  9. Readers drop the events of a holder that had lost its lease if they would
//     be out of order. docs/chatnats.md lists the late events that are kept.
//  10. A [Remote] sends a request to the backend at most once. A request that
//     may have been sent is not repeated, and RemoteError.MaybeSent is true. A
//     request that a holder did not accept goes to the next holder.
//  11. Only the asker receives an answer, a request acts only in the chat of
//     its subject, and a reply is sent only to an inbox.
//
// # Operating
//
// An operator can create the stream and the bucket with Config.StreamConfig and
// Config.BucketConfig. They are compared with the needs of the package, and a
// call returns a [*ConfigError] if they differ. [Open] compares the stream, and
// the first call that needs the bucket compares the bucket. [Subscribe] and
// [Work] compare their durable consumers. [Groups] and [Durables] list the
// stored positions of readers, and Bus.Stats has the counters. docs/chatnats.md
// lists the permissions of each role.
//
// # While NATS is unreachable
//
// Forward keeps up to ForwardConfig.Buffer events. When they are full, Publish
// blocks, and the socket is not read. After ForwardConfig.Patience Forward ends
// with a [*ForwardError]. Feeds and workers wait, then continue. A holder that
// cannot renew its lease loses it. The calls of a Remote end after
// Remote.Deadline.
package chatnats
