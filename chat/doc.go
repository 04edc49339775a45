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
// its ctx ends or the client is closed, over any number of reconnects.
//
//  1. Client.Events carries all kinds of events in the order of the wire. Two
//     channels in one select are in no order between them: a final message
//     may overtake the last tokens.
//  2. What reaches a typed topic has its type: a payload that has not, or
//     that lacks a required field, goes out on Client.DecodeErrors instead.
//  3. Fields that the contract does not name are kept, in Extra.
//
// # Questions and answers
//
// [Client.Ask] gives a [Stream]: the answer to this one question, in order, each
// token once. Answers are matched by requestId, so any number of questions may
// be in flight on one client. A backend that leaves requestId out is understood
// as long as one question at a time is in flight in the chat. Ending
// Ask's ctx sends ai:abort with the requestId and ends the stream.
//
// # What goes out
//
// Every payload is one object: chatId, then Config.Meta, then the event's own
// fields, a later one winning over an earlier one of the same name. This holds
// for the join and for [Client.Emit] as well.
//
// Verbs wait until the client is Ready (connected, and its room joined) and
// the event is written, or until their ctx ends. A failed one says in a
// [conn.SendError] whether the event may have been sent.
//
// # Names
//
// Events are known by keys ([events.Key]), and travel under names. Config.NameFunc
// has precedence over [Client.SetNames], that over Config.Names, and that over the
// defaults. A change takes effect at once for what is sent and what is heard,
// and for the join from the next connect on.
package chat
