package main

import (
	"fmt"
	"runtime"
	"time"
)

// A Shape is how many events go to how many readers in one round, which lasts
// until every reader has them all.
type Shape struct {
	Readers, Events, Capacity int
}

// FanOut is what an event costs one contender.
type FanOut struct {
	Nanoseconds float64 // of the publisher, until all readers have the event
	Ratio       float64 // to the first contender
	Allocations float64 // in the whole process
}

// fanOut measures the contenders in turns, one after the other and then again,
// so that what else the machine does weighs on all of them alike. The figures
// are medians over the turns, and so are the ratios, each to the first contender's
// turn in the same pass.
func fanOut(contenders []Contender, shape Shape, effort Settings) ([]FanOut, error) {
	turns := make([][]FanOut, len(contenders))
	for range effort.Turns {
		var first float64
		for i, c := range contenders {
			t, err := turn(c, shape, effort.Turn)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.Name, err)
			}
			if i == 0 {
				first = t.Nanoseconds
			}
			t.Ratio = t.Nanoseconds / first
			turns[i] = append(turns[i], t)
		}
	}
	figures := make([]FanOut, len(contenders))
	for i, t := range turns {
		figures[i] = medians(t)
	}
	return figures, nil
}

func medians(turns []FanOut) FanOut {
	var nanoseconds, ratios, allocations []float64
	for _, t := range turns {
		nanoseconds = append(nanoseconds, t.Nanoseconds)
		ratios = append(ratios, t.Ratio)
		allocations = append(allocations, t.Allocations)
	}
	return FanOut{median(nanoseconds), median(ratios), median(allocations)}
}

// turn opens one contender, alone, and measures rounds for a time, but at
// least one. A first round, which may grow buffers, does not count; neither
// does the garbage of whoever came before.
func turn(c Contender, shape Shape, budget time.Duration) (FanOut, error) {
	full := make(chan struct{}, shape.Readers)
	readers := make([]func(Event), shape.Readers)
	for i := range readers {
		readers[i] = (&counter{size: shape.Events, full: full}).read
	}
	b, err := c.Open(shape.Capacity, readers)
	if err != nil {
		return FanOut{}, err
	}
	defer b.Close()
	round := func() error {
		for i := range shape.Events {
			if err := b.Publish(Event{Number: i, Text: "hello"}); err != nil {
				return err
			}
		}
		for range shape.Readers {
			<-full
		}
		return nil
	}
	if err := round(); err != nil {
		return FanOut{}, err
	}
	runtime.GC()

	rounds := make([]float64, 0, 1<<16)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for began := time.Now(); len(rounds) == 0 || time.Since(began) < budget; {
		start := time.Now()
		if err := round(); err != nil {
			return FanOut{}, err
		}
		rounds = append(rounds, float64(time.Since(start).Nanoseconds()))
	}
	runtime.ReadMemStats(&after)
	events := float64(shape.Events)
	return FanOut{
		Nanoseconds: median(rounds) / events,
		Allocations: float64(after.Mallocs-before.Mallocs) / float64(len(rounds)) / events,
	}, nil
}

// A counter is a reader that says so whenever it has size more events. Its
// padding keeps two of them out of one cache line.
type counter struct {
	n, size int
	full    chan<- struct{}
	_       [104]byte
}

func (c *counter) read(Event) {
	if c.n++; c.n == c.size {
		c.n = 0
		c.full <- struct{}{}
	}
}
