package chatnats

import (
	"fmt"
	"strconv"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/events"
)

// The headers of an event's message. The body is its payload as JSON.
const (
	HeaderRequest = "Parley-Request" // the event's requestId; not set without one
	HeaderTrace   = "Parley-Trace"   // its traceId; not set without one
)

// A Delivery is an event with its place in the stream.
type Delivery struct {
	Event    events.Event
	ChatID   events.ID // of the subject: the event's own, or else the forwarder's
	Sequence uint64    // in the stream: grows with each event, not by one
	Time     time.Time // when the stream stored it, by the server's clock

	// Redelivered reports whether the event may have been handled before: by this worker,
	// or by one that had the request before it.
	Redelivered bool
}

// encode makes the message of an event. An event that says nothing by which
// a second one of it could be told has the id that is given.
func (b *Bus) encode(event events.Event, chat events.ID, otherwise func() string) (*nats.Msg, error) {
	data, err := jsonv2.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("chatnats: %s: %w", event.Key(), err)
	}
	e := event.Envelope()
	if !e.ChatID.IsZero() {
		chat = e.ChatID
	}
	values := []string{identity(event, chat, otherwise), headerValue(e.RequestID), headerValue(e.TraceID)}
	header := nats.Header{jetstream.MsgIDHeader: values[:1:1]}
	if e.RequestID != "" {
		header[HeaderRequest] = values[1:2:2]
	}
	if e.TraceID != "" {
		header[HeaderTrace] = values[2:3:3]
	}
	return &nats.Msg{Subject: b.subject(chat, event.Key()), Header: header, Data: data}, nil
}

// identity is what the stream knows an event by when it comes again, from
// the same forwarder or from another one that hears the same chat.
func identity(event events.Event, chat events.ID, otherwise func() string) string {
	scope := tokenOf(chat) + "/" + string(event.Key()) + "/"
	switch event := event.(type) {
	case events.AIToken:
		if event.RequestID != "" {
			return scope + headerValue(event.RequestID) + "/" + strconv.Itoa(event.Index)
		}
	case events.AIMessage:
		return scope + headerValue(event.RequestID) + "/" + headerValue(event.MessageID)
	case events.ChatMessage:
		return scope + headerValue(event.MessageID)
	case events.AIToolCall:
		return scope + headerValue(event.RequestID) + "/" + headerValue(event.CallID)
	case events.AIToolResult:
		return scope + headerValue(event.RequestID) + "/" + headerValue(event.CallID)
	}
	return scope + otherwise()
}

// headerValue keeps what a backend has chosen from breaking out of its header:
// anything but plain text without a line's end is quoted.
func headerValue(s string) string {
	for _, r := range s {
		if r < ' ' || r > '~' {
			return strconv.QuoteToASCII(s)
		}
	}
	return s
}

// decode reads a message of the stream.
func decode(subject string, data []byte) (events.Event, events.ID, error) {
	_, chat, key, err := parseSubject(subject)
	if err != nil {
		return nil, chat, err
	}
	event, err := events.Decode(key, data)
	return event, chat, err
}

// deliveryOf reads a message that a consumer has delivered.
func deliveryOf(msg jetstream.Msg, meta *jetstream.MsgMetadata) (Delivery, error) {
	event, chat, err := decode(msg.Subject(), msg.Data())
	return Delivery{
		Event: event, ChatID: chat, Sequence: meta.Sequence.Stream, Time: meta.Timestamp, Redelivered: meta.NumDelivered > 1,
	}, err
}

// unreadable reports what is in the stream and no event.
func (b *Bus) unreadable(msg jetstream.Msg, err error) {
	b.log.Warn("chatnats: not an event", "subject", msg.Subject(), "error", err)
}
