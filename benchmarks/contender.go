package main

import "sync"

// Event is the published value: 24 bytes, which do not fit into an interface
// without an allocation.
type Event struct {
	Number int
	Text   string
}

// Type returns the number that identifies Event to a bus that needs one.
func (Event) Type() uint32 { return 1 }

// A Bus delivers each published event to every reader. Publish is called by one
// goroutine at a time, and Close after the last Publish has returned. After
// Close has returned, no reader is called.
type Bus interface {
	Publish(Event) error
	Close()
}

// A Contender is one way to fan events out.
type Contender struct {
	Name string
	// Module is its module path, or empty if it has none.
	Module string
	// Ordered reports whether each reader gets the events of one publisher in
	// the order in which they were published.
	Ordered bool
	// Open starts a bus. Each reader is called in a separate goroutine, for one
	// event after the other. Capacity is the buffer of each channel, if the bus
	// has channels of a configurable size.
	Open func(capacity int, readers []func(Event)) (Bus, error)
}

// contenders returns the compared contenders. Ratios are relative to the first.
func contenders() []Contender {
	return []Contender{
		rawChannels(),
		parley(),
		kelindar(),
		cskr(),
		asaskevich(),
		mustafaturan(),
		watermillBackground(),
		watermillAcknowledged(),
	}
}

// readerChans is a channel for each reader, and a goroutine that calls the
// reader with its values.
type readerChans struct {
	channels []chan Event
	reading  sync.WaitGroup
}

func (r *readerChans) open(capacity int, readers []func(Event)) {
	for _, read := range readers {
		c := make(chan Event, capacity)
		r.channels = append(r.channels, c)
		feed(&r.reading, c, read)
	}
}

// Close closes the channels and waits until the readers have received every
// event.
func (r *readerChans) Close() {
	for _, c := range r.channels {
		close(c)
	}
	r.reading.Wait()
}

// feed calls read for each value from c, in a goroutine that ends with c.
func feed[T any](reading *sync.WaitGroup, c <-chan T, read func(T)) {
	reading.Go(func() {
		for v := range c {
			read(v)
		}
	})
}
