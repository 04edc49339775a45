package chatnats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed67206a74/parley/events"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// A replay delivers the open requests of a partition from their first event to
// a worker that has taken it over. At the first event of a chat it reads the
// earlier events of the chat from the stream. At the first event of an open
// request it first delivers the earlier events of that request.
type replay struct {
	bus    *Bus
	handle func(ctx context.Context, d Delivery) error

	floor uint64                           // events below were acknowledged by another worker
	chats map[string]map[string][]Delivery // by token: the open requests that started below floor
	since time.Time                        // when the partition was taken over
}

// begin is called when this worker has taken over the partition.
func (r *replay) begin(floor uint64) {
	r.floor, r.chats, r.since = floor, map[string]map[string][]Delivery{}, time.Now()
}

func (r *replay) deliver(ctx context.Context, d Delivery) error {
	request := d.Event.Envelope().RequestID
	if request == "" {
		return r.handle(ctx, d)
	}
	if age := r.bus.maxAge; age > 0 && time.Since(r.since) > age {
		r.chats = nil // the stream has no event below the floor any more
		return r.handle(ctx, d)
	}
	token := tokenOf(d.ChatID)
	begun, known := r.chats[token]
	if !known {
		var err error
		if begun, err = r.read(ctx, d.ChatID, d.Sequence); err != nil {
			return err
		}
		if len(begun) == 0 {
			begun = nil // releases the map
		}
		r.chats[token] = begun
	}
	for _, earlier := range begun[request] {
		if err := r.handle(ctx, earlier); err != nil {
			return err
		}
	}
	delete(begun, request)
	return r.handle(ctx, d)
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
