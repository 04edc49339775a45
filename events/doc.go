// Package events defines the events that a program and a chat backend exchange:
// each payload as a Go struct, the keys of the events, and their IDs.
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
// A program sends a [UserMessage], [Typing], [Abort] or [Read]. It receives an
// [Event]. Every payload may have ChatID, TraceID and RequestID. RequestID
// connects an AI's answer with the message that it answers.
//
// # JSON
//
// The types have the same JSON in encoding/json and in
// github.com/go-json-experiment/json, alone or inside other values:
//
//  1. A field that the contract requires must be present, not null and of its
//     JSON type. Otherwise the error is a *[FieldError]. Its cause is
//     [ErrMissing] if the field is missing or null. Where the contract allows
//     any JSON (args, result, the value of a part), null is a value. An
//     optional field that is null counts as missing.
//  2. An optional field of the wrong type is left out. The error is a
//     *FieldError with Partial set, and all other fields are set.
//  3. Habits of backends are accepted. A messageId, requestId, traceId, callId
//     or code may be a number; its text is kept. A time may lack its zone,
//     which is then UTC, or be the number of seconds or milliseconds since
//  1970. A count of a Usage may be a fraction, which is rounded, or a
//     string. The times, role, args, result and index may be missing. The
//     time is then zero, the index -1, and args and result are null. A time
//     that cannot be read is left out, as an optional field is. An AIError may
//     be a string, or have the members error, error.message and error.code in
//     place of its own.
//  4. Names match exactly. A member without a field is kept in Extra as raw
//     JSON, and is encoded with the payload. Extra is nil if there is none. An
//     entry of Extra with the name of a field is not encoded.
//  5. Optional fields that are zero are not encoded. A required slice that is
//     nil is encoded as [], and a required json.RawMessage that is empty as
//     null.
//  6. Numbers keep all their digits in an [ID], in a [Part] and in a
//     json.RawMessage (Args, Result, Details, Extra). Times keep their
//     nanoseconds and their zone offset.
//  7. Of members with the same name the last one counts. Invalid Unicode, such
//     as half of a surrogate pair, is decoded as U+FFFD. With
//     go-json-experiment/json, the caller's options decide first whether such
//     JSON is accepted.
//  8. Decoding replaces the whole previous value. The new value shares no
//     memory with the JSON.
//  9. After a *FieldError, a jsontext.Decoder can read the next payload.
//
// Values are plain data. They can be copied, sent over channels, and read by
// any number of goroutines. Copies share their slices, maps and raw JSON.
package events
