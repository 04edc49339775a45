package chatnats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed67206a74/parley/events"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// maxReplayed limits the chats without open requests that a replay remembers.
const maxReplayed = 1 << 14

// A replay delivers the open requests of a partition from their first event to
// a worker that has taken it over. At the first event of a chat it reads the
// earlier events of the chat from the stream. At the first event of an open
// request it first delivers the earlier events of that request.
type replay struct {
	bus    *Bus
	handle func(ctx context.Context, d Delivery) error

	// Events below floor were acknowledged by another worker. The stream has
	// none of them if floor is 0.
	floor uint64
	since time.Time // when the partition was taken over

	// By token, the open requests of the chats that had some below floor, and
	// the chats that had none, which are at most limit.
	open    map[string]map[string][]Delivery
	without map[string]bool
	limit   int
}

// begin is called when this worker has taken over the partition.
func (r *replay) begin(floor uint64) {
	r.floor, r.since = floor, time.Now()
	r.open, r.without = map[string]map[string][]Delivery{}, map[string]bool{}
}

// forget is called when the stream has no event below floor any more.
func (r *replay) forget() { r.floor, r.open, r.without = 0, nil, nil }

func (r *replay) deliver(ctx context.Context, d Delivery) error {
	if age := r.bus.maxAge; age > 0 && time.Since(r.since) > age {
		r.forget()
	}
	request := d.Event.Envelope().RequestID
	if request == "" || r.floor == 0 {
		return r.handle(ctx, d)
	}
	begun, err := r.openRequests(ctx, d)
	if err != nil {
		return err
	}
	for _, earlier := range begun[request] {
		if err := r.handle(ctx, earlier); err != nil {
			return err
		}
	}
	delete(begun, request)
	return r.handle(ctx, d)
}

// openRequests returns the open requests of a delivery's chat which were not
// delivered yet. It remembers the chats that it has read. Those without open
// requests can be read again, so they are forgotten when they are too many.
func (r *replay) openRequests(ctx context.Context, d Delivery) (map[string][]Delivery, error) {
	token := tokenOf(d.ChatID)
	if begun, known := r.open[token]; known || r.without[token] {
		return begun, nil
	}
	begun, err := r.read(ctx, d.ChatID, d.Sequence)
	if err != nil {
		return nil, err
	}
	if len(begun) > 0 {
		r.open[token] = begun
		return begun, nil
	}
	if len(r.without) >= r.limit {
		info, err := r.bus.stream.Info(ctx)
		if err != nil {
			return nil, fmt.Errorf("earlier events: %w", err)
		}
		if info.State.FirstSeq >= r.floor {
			r.forget()
			return nil, nil
		}
		clear(r.without)
	}
	r.without[token] = true
	return nil, nil
}

// read returns the events of a chat below the floor, by request, without the
// requests that have ended. It reads up to an event that is known to be stored,
// to detect a server that has not caught up and would leave some out.
func (r *replay) read(ctx context.Context, chat events.ID, until uint64) (map[string][]Delivery, error) {
	begun := map[string][]Delivery{}
	lease := lateness{bus: r.bus}
	for next := uint64(1); next <= until; {
		batch, err := jetstreamext.GetBatch(ctx, r.bus.js, r.bus.prefix, pull,
			jetstreamext.GetBatchSubject(r.bus.chat(chat)), jetstreamext.GetBatchSeq(next))
		if err != nil {
			return nil, fmt.Errorf("earlier events: %w", err)
		}
		before := next
		for msg, err := range batch {
			if err != nil {
				return nil, fmt.Errorf("earlier events: %w", err)
			}
			if next = msg.Sequence + 1; msg.Sequence >= min(r.floor, until) {
				return begun, nil
			}
			event, _, err := decode(msg.Subject, msg.Header, msg.Data)
			if err != nil {
				continue // logged at its first delivery
			}
			drop, err := lease.drop(ctx, msg.Header, msg.Subject, msg.Sequence, event)
			if err != nil {
				return nil, fmt.Errorf("earlier events: %w", err)
			}
			if drop {
				continue
			}
			request := event.Envelope().RequestID
			switch event.(type) {
			case events.AIMessage, events.AIError:
				delete(begun, request)
			default:
				if request != "" {
					begun[request] = append(begun[request], Delivery{
						Event: event, ChatID: chat, Sequence: msg.Sequence, Time: msg.Time, Redelivered: true,
					})
				}
			}
		}
		if next == before {
			return nil, errors.New("earlier events: the server has not caught up")
		}
	}
	return begun, nil
}
