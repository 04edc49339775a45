package main

import (
	"context"
	"strconv"

	"github.com/mustafaturan/bus/v3"
)

// mustafaturan calls back in the publisher's goroutine. The callback sends to
// the reader's channel. The ids are constant, so that no id generator is
// measured.
func mustafaturan() Contender {
	return Contender{
		Name:    "mustafaturan/bus",
		Module:  "github.com/mustafaturan/bus/v3",
		Ordered: true,
		Open: func(capacity int, readers []func(Event)) (Bus, error) {
			inner, err := bus.NewBus(bus.Next(func() string { return "id" }))
			if err != nil {
				return nil, err
			}
			b := &mustafaturanBus{bus: inner}
			b.open(capacity, readers)
			inner.RegisterTopics("topic")
			for i, c := range b.channels {
				inner.RegisterHandler(strconv.Itoa(i), bus.Handler{
					Handle:  func(_ context.Context, e bus.Event) { c <- e.Data.(Event) },
					Matcher: "topic",
				})
			}
			return b, nil
		},
	}
}

type mustafaturanBus struct {
	bus *bus.Bus
	readerChans
}

func (b *mustafaturanBus) Publish(e Event) error {
	return b.bus.Emit(context.Background(), "topic", e)
}
