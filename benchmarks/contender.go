package main

// Event is what is published: 24 bytes, which do not fit into an interface
// without an allocation.
type Event struct {
	Number int
	Text   string
}

// Type identifies Event to buses that ask for a number.
func (Event) Type() uint32 { return 1 }

// A Bus gives each event that is published on it to every reader. Publish is
// called by one goroutine at a time, and Close when the last Publish has
// returned. When Close returns, no reader is called any more.
type Bus interface {
	Publish(Event) error
	Close()
}

// A Contender is one way to fan events out.
type Contender struct {
	Name string
	// Module is where it comes from; empty for what needs no module.
	Module string
	// Ordered says whether each reader gets the events of one publisher in the
	// order in which they were published.
	Ordered bool
	// Open starts a bus. Each reader is called in a goroutine of its own, for
	// one event after the other. Capacity is how many events its channel
	// holds, where there is one to be sized.
	Open func(capacity int, readers []func(Event)) (Bus, error)
}

// contenders returns all that are compared. The first is what the others
// are set in relation to.
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
