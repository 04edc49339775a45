package main

import EventBus "github.com/asaskevich/EventBus"

// asaskevich calls back in the publisher's goroutine. The callback sends to the
// reader's channel.
func asaskevich() Contender {
	return Contender{
		Name:    "asaskevich/EventBus",
		Module:  "github.com/asaskevich/EventBus",
		Ordered: true,
		Open: func(capacity int, readers []func(Event)) (Bus, error) {
			b := &asaskevichBus{bus: EventBus.New()}
			b.open(capacity, readers)
			for _, c := range b.channels {
				if err := b.bus.Subscribe("topic", func(e Event) { c <- e }); err != nil {
					b.Close()
					return nil, err
				}
			}
			return b, nil
		},
	}
}

type asaskevichBus struct {
	bus EventBus.Bus
	readerChans
}

func (b *asaskevichBus) Publish(e Event) error {
	b.bus.Publish("topic", e)
	return nil
}
