package main

// rawChannels sends to buffered channels in a loop: the lowest cost of sending
// values one by one. It blocks when a channel is full.
func rawChannels() Contender {
	return Contender{
		Name:    "raw channels",
		Ordered: true,
		Open: func(capacity int, readers []func(Event)) (Bus, error) {
			b := new(rawBus)
			b.open(capacity, readers)
			return b, nil
		},
	}
}

type rawBus struct{ readerChans }

func (b *rawBus) Publish(e Event) error {
	for _, c := range b.channels {
		c <- e
	}
	return nil
}

// noBus is a baseline without a bus: Publish calls the last reader directly,
// and the others get nothing. The measured delays are those of the machine and
// of the clock.
func noBus() Contender {
	return Contender{
		Name:    "no bus",
		Ordered: true,
		Open: func(_ int, readers []func(Event)) (Bus, error) {
			return directBus(readers[len(readers)-1]), nil
		},
	}
}

type directBus func(Event)

func (b directBus) Publish(e Event) error {
	b(e)
	return nil
}

func (directBus) Close() {}
