package main

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// A Shape is the size of a round. A round ends when every reader has received
// all events.
type Shape struct {
	Readers, Events, Capacity int
}

// FanOut is the cost of one event for one contender.
type FanOut struct {
	Nanoseconds float64 // until all readers have the event
	Ratio       float64 // to the first contender
	Allocations float64 // in the whole process
}

// fanOut measures the contenders in turns, so that other load on the machine
// affects all alike. The figures are medians over the turns. So are the ratios,
// each to the first contender's turn in the same pass.
func fanOut(contenders []Contender, shape Shape, settings Settings) ([]FanOut, error) {
	turns := make([][]FanOut, len(contenders))
	for range settings.Turns {
		var first float64
		for i, c := range contenders {
			t, err := turn(c, shape, settings.Turn)
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

// turn opens one contender, alone, and measures rounds for the time budget, but
// at least one. The first round, which may grow buffers, is not counted. The
// garbage of earlier contenders is collected before.
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

// A counter is a reader that sends to full after each size events. The padding
// keeps two counters out of one cache line.
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

// percentile returns the value that p percent of the values do not exceed. It
// sorts values, which must not be empty.
func percentile[T cmp.Ordered](values []T, p int) T {
	slices.Sort(values)
	return values[(len(values)-1)*p/100]
}

func median[T cmp.Ordered](values []T) T { return percentile(values, 50) }
