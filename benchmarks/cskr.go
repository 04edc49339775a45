package main

import (
	"sync"

	"github.com/cskr/pubsub/v2"
)

// cskr routes all events through one goroutine. Pub waits for slow readers.
// TryPub is not used, because it drops.
func cskr() Contender {
	return Contender{
		Name:    "cskr/pubsub",
		Module:  "github.com/cskr/pubsub/v2",
		Ordered: true,
		Open: func(capacity int, readers []func(Event)) (Bus, error) {
			b := &cskrBus{pubsub: pubsub.New[string, Event](capacity)}
			for _, read := range readers {
				feed(&b.reading, b.pubsub.Sub("topic"), read)
			}
			return b, nil
		},
	}
}

type cskrBus struct {
	pubsub  *pubsub.PubSub[string, Event]
	reading sync.WaitGroup
}

func (b *cskrBus) Publish(e Event) error {
	b.pubsub.Pub(e, "topic")
	return nil
}

func (b *cskrBus) Close() {
	b.pubsub.Shutdown()
	b.reading.Wait()
}
