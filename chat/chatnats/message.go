package chatnats

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/events"
)

// The headers of an event's message. The body is the event's payload as JSON.
const (
	HeaderRequest = "Parley-Request" // the event's requestId; not set without one
	HeaderTrace   = "Parley-Trace"   // its traceId; not set without one
	HeaderChat    = "Parley-Chat"    // its chat id as JSON; set if the subject has only a hash
	HeaderLease   = "Parley-Lease"   // the lease's token and revision; not set without a lease
)

// A Delivery is an event with its place in the stream.
type Delivery struct {
	Event    events.Event
	ChatID   events.ID // the event's own, or ForwardConfig.ChatID
	Sequence uint64    // in the stream: increasing, with gaps
	Time     time.Time // when the stream stored it, by the server's clock

	// Redelivered reports whether this worker, or an earlier one, may have
	// handled the event before.
	Redelivered bool

	// Attempt is the number of this attempt of the group, from 1. The first one
	// does not count if the worker was killed during it. It is 0 in a Feed.
	Attempt int
}

// An encoder makes the messages of one forwarder.
type encoder struct {
	bus   *Bus
	chat  events.ID // of events without a chat id
	lease string    // the value of HeaderLease; "" without a lease

	id       string // with count, the identity of events without ids
	count    uint64
	versions versions
	fields   []byte // reused for the next event
}

// encode returns the message of an event.
func (e *encoder) encode(event events.Event) (*nats.Msg, error) {
	data, err := jsonv2.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("chatnats: %s: %w", event.Key(), err)
	}
	envelope := event.Envelope()
	chat := e.chat
	if !envelope.ChatID.IsZero() {
		chat = envelope.ChatID
	}
	token := tokenOf(chat)
	values := []string{e.identify(event, token), headerValue(envelope.RequestID), headerValue(envelope.TraceID), e.lease}
	header := nats.Header{jetstream.MsgIDHeader: values[:1:1]}
	if envelope.RequestID != "" {
		header[HeaderRequest] = values[1:2:2]
	}
	if envelope.TraceID != "" {
		header[HeaderTrace] = values[2:3:3]
	}
	if e.lease != "" {
		header[HeaderLease] = values[3:4:4]
	}
	if raw, ok := event.(RawEvent); ok {
		header[HeaderEvent] = []string{strconv.QuoteToASCII(raw.Name)}
	}
	if hashed(token) {
		id, err := jsonv2.Marshal(chat)
		if err != nil {
			return nil, fmt.Errorf("chatnats: %s: %w", event.Key(), err)
		}
		header[HeaderChat] = []string{headerValue(string(id))}
	}
	return &nats.Msg{Subject: e.bus.prefix + "." + token + "." + string(event.Key()), Header: header, Data: data}, nil
}

// headerValue quotes text that is not printable ASCII, so that a backend cannot
// insert headers.
func headerValue(s string) string {
	for _, r := range s {
		if r < ' ' || r > '~' {
			return strconv.QuoteToASCII(s)
		}
	}
	return s
}

// errNoEvent is returned for a message that marks the start of a tenure.
var errNoEvent = errors.New("chatnats: not an event")

// decode reads a message of the stream.
func decode(subject string, header nats.Header, data []byte) (events.Event, events.ID, error) {
	token, key, err := parseSubject(subject)
	if err != nil {
		return nil, events.ID{}, err
	}
	if key == keyTenure {
		return nil, events.ID{}, errNoEvent
	}
	var chat events.ID
	if hashed(token) {
		chat, err = chatOfHeader(header.Get(HeaderChat), token)
	} else {
		chat, err = chatOf(token)
	}
	if err != nil {
		return nil, chat, err
	}
	if key == KeyRaw {
		event, err := decodeRaw(header.Get(HeaderEvent), data)
		return event, chat, err
	}
	event, err := events.Decode(key, data)
	return event, chat, err
}

// chatOfHeader returns the chat id of a header, and checks it against the hash
// in the token.
func chatOfHeader(value, token string) (events.ID, error) {
	if unquoted, err := strconv.Unquote(value); err == nil && value[0] == '"' && value[1] == '\\' {
		value = unquoted // by headerValue
	}
	var chat events.ID
	if err := jsonv2.Unmarshal([]byte(value), &chat); err != nil {
		return chat, fmt.Errorf("chatnats: %s: %w", HeaderChat, err)
	}
	if tokenOf(chat) != token {
		return chat, errToken
	}
	return chat, nil
}

// deliveryOf reads a message that a consumer has delivered.
func deliveryOf(msg jetstream.Msg, meta *jetstream.MsgMetadata) (Delivery, error) {
	event, chat, err := decode(msg.Subject(), msg.Headers(), msg.Data())
	return Delivery{
		Event: event, ChatID: chat, Sequence: meta.Sequence.Stream, Time: meta.Timestamp, Redelivered: meta.NumDelivered > 1,
	}, err
}

// unreadable logs that a message of the stream is not a valid event.
func (b *Bus) unreadable(msg jetstream.Msg, err error) {
	if !errors.Is(err, errNoEvent) {
		b.log.Warn("chatnats: not an event", "subject", msg.Subject(), "error", err)
	}
}
