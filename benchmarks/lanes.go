package main

import "sync"

// lanes are a channel for each reader and a goroutine that feeds the reader
// from it.
type readerChans struct {
	channels []chan Event
	reading  sync.WaitGroup
}

func (l *readerChans) open(capacity int, readers []func(Event)) {
	for _, read := range readers {
		c := make(chan Event, capacity)
		l.channels = append(l.channels, c)
		feed(&l.reading, c, read)
	}
}

// Close closes the channels and waits until the readers have what is in them.
func (l *readerChans) Close() {
	for _, c := range l.channels {
		close(c)
	}
	l.reading.Wait()
}

// feed calls read for each value from c, in a goroutine that ends with c.
func feed[T any](reading *sync.WaitGroup, c <-chan T, read func(T)) {
	reading.Go(func() {
		for v := range c {
			read(v)
		}
	})
}
