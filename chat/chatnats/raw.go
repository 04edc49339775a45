package chatnats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// HeaderEvent is the header with the name of a [RawEvent].
const HeaderEvent = "Parley-Event"

// KeyRaw is the key of each [RawEvent].
const KeyRaw events.Key = "RAW"

// A RawEvent is an event of any name. Its arguments are not decoded.
type RawEvent struct {
	events.Event // nil; RawEvent has its methods

	Name string
	Args []json.RawMessage

	binary bool // there are attachments
}

// Key returns KeyRaw.
func (RawEvent) Key() events.Key { return KeyRaw }

// Envelope returns the fields of the first argument that all payloads share.
func (e RawEvent) Envelope() (envelope events.Envelope) {
	if len(e.Args) > 0 {
		var fields struct {
			ChatID    events.ID `json:"chatId"`
			TraceID   string    `json:"traceId"`
			RequestID string    `json:"requestId"`
		}
		if jsonv2.Unmarshal(e.Args[0], &fields) == nil {
			envelope = events.Envelope{ChatID: fields.ChatID, TraceID: fields.TraceID, RequestID: fields.RequestID}
		}
	}
	return envelope
}

// MarshalJSON returns the arguments as an array.
func (e RawEvent) MarshalJSON() ([]byte, error) {
	if e.binary {
		return nil, ErrBinary
	}
	return jsonv2.Marshal(e.Args)
}

// ErrBinary: a [RawEvent] cannot have binary data.
var ErrBinary = errors.New("chatnats: event with binary data")

// decodeRaw reads the value of HeaderEvent and the body of a message.
func decodeRaw(header string, data []byte) (events.Event, error) {
	name, err := strconv.Unquote(header)
	if err != nil {
		return nil, fmt.Errorf("chatnats: %s: %w", HeaderEvent, err)
	}
	e := RawEvent{Name: name}
	err = jsonv2.Unmarshal(data, &e.Args)
	return e, err
}

// ForwardRaw is [Forward] for the events of source with the given names. The
// source is usually the Raw of a chat client. Readers receive each event as a
// [RawEvent]. It belongs to the chat of the chatId in its first argument, or to
// cfg.ChatID. An event with binary data is refused with [ErrBinary].
//
// A RawEvent has no identity: it is stored twice if two holders receive it.
// There is no order between the events of two forwardings.
func ForwardRaw(ctx context.Context, b *Bus, source bus.Source[conn.Event], names []string, cfg ForwardConfig) (*Forwarding, error) {
	// Not ctx: the events that wait when ctx ends are still forwarded.
	forwarding, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	topic := &bus.Topic[events.Event]{Name: "chatnats.ForwardRaw", Logger: b.log}
	f, err := Forward(forwarding, b, topic.Source(), cfg)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	setDefault(&cfg.Buffer, DefaultBuffer)
	sub := source.Subscribe(forwarding, bus.Limit(cfg.Buffer), bus.OnOverflow(bus.Block), bus.Name("chatnats.ForwardRaw"),
		bus.Filter(func(e conn.Event) bool { return slices.Contains(names, e.Name) }))
	go func() { // ends with f
		defer cancel(nil)
		defer func() { <-f.Done() }()
		defer topic.Close()
		defer sub.Close()
		left, ended := -1, ctx.Done()
		for left != 0 {
			select {
			case event, open := <-sub.C():
				if !open {
					return
				}
				left--
				topic.Publish(RawEvent{Name: event.Name, Args: event.Args, binary: len(event.Attachments) > 0})
			case <-ended:
				if err := fenced(ctx); err != nil {
					cancel(err)
					return
				}
				left, ended = sub.Stats().Pending, nil
			case <-f.Done():
				return
			}
		}
	}()
	return f, nil
}
