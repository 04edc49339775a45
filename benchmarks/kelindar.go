package main

import (
	"context"
	"time"

	"github.com/kelindar/event"
)

// kelindar calls each reader in a separate goroutine.
func kelindar() Contender {
	return Contender{
		Name:    "kelindar/event",
		Module:  "github.com/kelindar/event",
		Ordered: true,
		Open: func(_ int, readers []func(Event)) (Bus, error) {
			b := &kelindarBus{dispatcher: event.NewDispatcher()}
			for _, read := range readers {
				b.cancels = append(b.cancels, event.Subscribe(b.dispatcher, read))
			}
			return b, nil
		},
	}
}

type kelindarBus struct {
	dispatcher *event.Dispatcher
	cancels    []context.CancelFunc
}

func (b *kelindarBus) Publish(e Event) error {
	event.Publish(b.dispatcher, e)
	return nil
}

// Close waits ten ticks before it closes the dispatcher. The dispatcher's
// goroutines notice their cancellation at a tick, and there is no other way to
// wait for them.
func (b *kelindarBus) Close() {
	for _, cancel := range b.cancels {
		cancel()
	}
	time.Sleep(5 * time.Millisecond)
	b.dispatcher.Close()
}
