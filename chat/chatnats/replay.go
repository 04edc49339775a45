package chatnats

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed67206a74/parley/events"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// A replay gives a worker that takes a partition over the requests in progress from
// their first event on: when it meets a chat for the first time, it reads what
// the stream has of it, and when a request goes on that had begun before, it first
// hands out that beginning.
type replay struct {
	bus    *Bus
	handle func(ctx context.Context, d Delivery) error

	floor uint64                           // events below were acknowledged by another worker
	chats map[string]map[string][]Delivery // by token: the open requests that began below floor
}

// begin is called when the partition was taken over.
func (r *replay) begin(floor uint64) { r.floor, r.chats = floor, map[string]map[string][]Delivery{} }

func (r *replay) deliver(ctx context.Context, d Delivery) error {
	request := d.Event.Envelope().RequestID
	if request == "" {
		return r.handle(ctx, d)
	}
	token := tokenOf(d.ChatID)
	begun, known := r.chats[token]
	if !known {
		var err error
		if begun, err = r.read(ctx, d.ChatID, d.Sequence); err != nil {
			return err
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
// requests that have ended. It reads up to an event of that chat which is known to
// be there: a server that has not caught up would leave some out otherwise.
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
				continue // it was reported when it came the first time
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
