package main

import (
	"context"
	"encoding/binary"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
)

// watermillBackground is gochannel with its defaults. It starts goroutines for
// each message, and keeps no order.
func watermillBackground() Contender {
	return watermillWith("watermill gochannel", gochannel.Config{})
}

// watermillAcknowledged publishes the next message once every reader has
// acknowledged the last, which keeps the order.
func watermillAcknowledged() Contender {
	return watermillWith("watermill gochannel, acknowledged", gochannel.Config{BlockPublishUntilSubscriberAck: true})
}

func watermillWith(name string, config gochannel.Config) Contender {
	return Contender{
		Name:    name,
		Module:  "github.com/ThreeDotsLabs/watermill",
		Ordered: config.BlockPublishUntilSubscriberAck,
		Open: func(capacity int, readers []func(Event)) (Bus, error) {
			config := config
			config.OutputChannelBuffer = int64(capacity)
			b := &watermillBus{channel: gochannel.NewGoChannel(config, nil)}
			for _, read := range readers {
				c, err := b.channel.Subscribe(context.Background(), "topic")
				if err != nil {
					b.Close()
					return nil, err
				}
				feed(&b.reading, c, func(m *message.Message) {
					read(decode(m.Payload))
					m.Ack()
				})
			}
			return b, nil
		},
	}
}

type watermillBus struct {
	channel *gochannel.GoChannel
	reading sync.WaitGroup
}

// Publish gives every message the same id, so that no id generator is measured.
func (b *watermillBus) Publish(e Event) error {
	return b.channel.Publish("topic", message.NewMessage("id", encode(e)))
}

func (b *watermillBus) Close() {
	b.channel.Close() // its error is always nil
	b.reading.Wait()
}

// encode returns the payload of a message: the number in eight bytes, then the
// text.
func encode(e Event) []byte {
	payload := make([]byte, 0, 8+len(e.Text))
	payload = binary.LittleEndian.AppendUint64(payload, uint64(e.Number))
	return append(payload, e.Text...)
}

func decode(payload []byte) Event {
	return Event{Number: int(binary.LittleEndian.Uint64(payload)), Text: string(payload[8:])}
}
