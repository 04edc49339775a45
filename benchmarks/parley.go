package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/seed67206a74/parley/bus"
)

// parley is package bus with default options. It sizes its channels itself.
func parley() Contender { return parleyWith("parley/bus") }

// parleyDropping keeps a reader that is too slow and drops its oldest events.
func parleyDropping() Contender {
	return parleyWith("parley/bus, DropOldest", bus.OnOverflow(bus.DropOldest))
}

func parleyWith(name string, options ...bus.Option) Contender {
	return Contender{
		Name:    name,
		Module:  "github.com/seed67206a74/parley",
		Ordered: true,
		Open: func(_ int, readers []func(Event)) (Bus, error) {
			b := &parleyBus{topic: bus.Topic[Event]{Logger: slog.New(slog.DiscardHandler)}}
			for _, read := range readers {
				feed(&b.reading, b.topic.Chan(context.Background(), options...), read)
			}
			return b, nil
		},
	}
}

type parleyBus struct {
	topic   bus.Topic[Event]
	reading sync.WaitGroup
}

func (b *parleyBus) Publish(e Event) error {
	b.topic.Publish(e)
	return nil
}

func (b *parleyBus) Close() {
	b.topic.Close()
	b.reading.Wait()
}
