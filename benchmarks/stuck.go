package main

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// Delay is the time that Publish took while one of two readers was stuck in its
// first event.
type Delay struct {
	P50, P99, Max time.Duration
	// Blocked reports that Publish, or the delivery to the other reader,
	// blocked. The durations are then 0.
	Blocked bool
	// Published is the number of calls that returned.
	Published int
}

// stuckReader measures the contenders in turns, as fanOut does. The figures
// are medians over the turns. A contender that blocks gets only one turn.
func stuckReader(contenders []Contender, capacity int, settings Settings) ([]Delay, error) {
	turns := make([][]Delay, len(contenders))
	for range settings.StuckTurns {
		for i, c := range contenders {
			if len(turns[i]) > 0 && turns[i][0].Blocked {
				continue
			}
			d, err := stuckTurn(c, capacity, settings)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.Name, err)
			}
			turns[i] = append(turns[i], d)
		}
	}
	delays := make([]Delay, len(contenders))
	for i, t := range turns {
		delays[i] = medianDelay(t)
	}
	return delays, nil
}

func medianDelay(turns []Delay) Delay {
	if i := slices.IndexFunc(turns, func(d Delay) bool { return d.Blocked }); i >= 0 {
		return turns[i]
	}
	var p50, p99, worst []time.Duration
	for _, t := range turns {
		p50, p99, worst = append(p50, t.P50), append(p99, t.P99), append(worst, t.Max)
	}
	return Delay{P50: median(p50), P99: median(p99), Max: median(worst), Published: turns[0].Published}
}

// stuckTurn publishes bursts, each after the other reader has received the one
// before. After settings.StuckTimeout without progress the stuck reader is
// released, so that the turn ends.
func stuckTurn(c Contender, capacity int, settings Settings) (Delay, error) {
	release, full := make(chan struct{}), make(chan struct{}, 1)
	stuck := func(Event) { <-release }
	b, err := c.Open(capacity, []func(Event){stuck, (&counter{size: burst, full: full}).read})
	if err != nil {
		return Delay{}, err
	}
	runtime.GC() // of the garbage of earlier contenders
	p := publisher{bus: b, full: full, delays: make([]time.Duration, 0, settings.StuckEvents)}
	done := make(chan error, 1)
	// Ends when all is published, or soon after the release.
	go func() { done <- p.run(settings.StuckEvents) }()

	d := Delay{Published: settings.StuckEvents}
	d.Blocked, err = p.watch(done, settings.StuckTimeout)
	if d.Blocked {
		d.Published = int(p.published.Load())
	}
	close(release)
	if d.Blocked {
		err = <-done
	}
	b.Close()
	if err != nil {
		return Delay{}, err
	}
	if !d.Blocked {
		d.P50, d.P99, d.Max = percentile(p.delays, 50), percentile(p.delays, 99), percentile(p.delays, 100)
	}
	return d, nil
}

// A publisher publishes bursts and records the time of each call.
type publisher struct {
	bus       Bus
	full      <-chan struct{} // receives when a burst has arrived
	delays    []time.Duration
	published atomic.Int64 // calls that returned
	givenUp   atomic.Bool
}

func (p *publisher) run(events int) error {
	for i := range events {
		start := time.Now()
		if err := p.bus.Publish(Event{Number: i, Text: "hello"}); err != nil {
			return err
		}
		p.delays = append(p.delays, time.Since(start))
		p.published.Add(1)
		if (i+1)%burst == 0 {
			<-p.full
		}
		if p.givenUp.Load() {
			return nil
		}
	}
	return nil
}

// watch waits for done, or until nothing is published within timeout. In that
// case it makes run end as soon as run is unblocked.
func (p *publisher) watch(done <-chan error, timeout time.Duration) (blocked bool, err error) {
	ticker := time.NewTicker(timeout)
	defer ticker.Stop()
	for last := int64(-1); ; {
		select {
		case err := <-done:
			return false, err
		case <-ticker.C:
		}
		now := p.published.Load()
		if now == last {
			p.givenUp.Store(true)
			return true, nil
		}
		last = now
	}
}
