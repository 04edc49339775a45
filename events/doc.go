// Package events is what a program and a chat backend say to each other: the
// payload of each event as a Go struct, the keys that name the events, and the
// IDs in them.
//
//	ev, err := events.Decode(events.KeyAIToken,
//		[]byte(`{"chatId":"room-1","requestId":"r1","token":"Hi","index":0}`))
//	if err != nil {
//		return err // a *FieldError names the field that did not fit
//	}
//	switch ev := ev.(type) {
//	case events.AIToken:
//		fmt.Print(ev.Token)
//	case events.AIMessage:
//		fmt.Println(ev.Text)
//	}
//
// A program sends a [UserMessage], [Typing], [Abort] or [Read]. What it
// receives is an [Event]. Every payload may carry ChatID, TraceID and
// RequestID; RequestID ties the answer of an AI to the turn it answers.
//
// # JSON
//
// The types have the same JSON in encoding/json and in
// github.com/go-json-experiment/json, alone or inside other values:
//
//   - A field that the contract requires has to be there, not null and of its
//     JSON type. If one is not, the error is a *[FieldError], with [ErrMissing]
//     as its cause for one that is missing or null. Where the contract allows
//     any JSON (args, result, the value of a part), null is some. An optional
//     field that is null counts as left out.
//   - Names match exactly. A member that no field is named after goes to Extra,
//     as it was written, and is written again when the payload is; Extra stays
//     nil without one. An entry of Extra that bears the name of a field is not
//     written.
//   - Optional fields that are zero are not written. A required slice that is
//     nil is written as [], a required json.RawMessage that is empty as null.
//   - Digits survive: in an [ID], in a [Part], in a json.RawMessage (Args,
//     Result, Details, Extra) a number may be as long as it likes. Times keep
//     their nanoseconds and their zone offset.
//   - Of members with the same name the last wins. Text that is not valid
//     Unicode, such as half of a surrogate pair, reads as U+FFFD. With
//     go-json-experiment/json the caller's options decide first whether such
//     JSON is read at all.
//   - Decoding replaces all that the value held before, and shares no memory
//     with the JSON it was decoded from.
//   - A *FieldError leaves a jsontext.Decoder after the payload, ready for the
//     next one.
//
// Values are plain data: copy them, send them over channels, and read them from
// any number of goroutines. Copies share their slices, maps and raw JSON.
package events
