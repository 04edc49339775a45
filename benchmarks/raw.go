package main

// rawChannels is a loop over buffered channels: the least that sending values
// one by one can cost, without subscribing, and blocking when one is full.
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
