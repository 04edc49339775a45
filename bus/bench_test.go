package bus_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
)

// token is a payload of the size that a chat streams.
type token struct {
	ChatID, TraceID, RequestID, MessageID, Text string
	Index, Total                                int
	Done                                        bool
}

func aNumber(i int) int { return i }

func aToken(i int) token {
	return token{ChatID: "room-1", RequestID: "r-1", Text: "hello", Index: i}
}

// The bus beside bare channels: go test -bench . ./bus
//
// An operation is a round: some events published to N readers, each in its own
// goroutine, until every reader has all of them. Rounds through bare channels
// and through the bus alternate, so that other load on the machine affects both
// alike. The figures are medians: nanoseconds for one event, and the ratio of a
// round to the one before.

// BenchmarkBurst measures readers that keep up.
func BenchmarkBurst(b *testing.B) {
	for _, n := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("int/N=%d", n), func(b *testing.B) { rounds(b, n, 64, 128, aNumber) })
		b.Run(fmt.Sprintf("token/N=%d", n), func(b *testing.B) { rounds(b, n, 64, 128, aToken) })
	}
}

// BenchmarkFlood measures readers that do not keep up. Bare channels need a
// buffer for all events; the bus spills the events that do not fit into its
// channel.
func BenchmarkFlood(b *testing.B) {
	for _, n := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("int/N=%d", n), func(b *testing.B) { rounds(b, n, 8000, bus.DefaultLimit, aNumber) })
		b.Run(fmt.Sprintf("token/N=%d", n), func(b *testing.B) { rounds(b, n, 8000, bus.DefaultLimit, aToken) })
	}
}

// rounds measures rounds of size events through n bare channels of a capacity,
// and through n subscriptions with default options.
func rounds[T any](b *testing.B, n, size, capacity int, event func(i int) T) {
	raw, topic := newFanout[T](n, capacity, size), new(bus.Topic[T])
	readers := newReaders(subscribe(topic, n), size)
	sideBySide(b, size,
		func() { raw.round(event) },
		func() {
			for i := range size {
				topic.Publish(event(i))
			}
			readers.await()
		})
	raw.close()
	topic.Close()
}

func sideBySide(b *testing.B, size int, raw, bus func()) {
	b.ReportAllocs()
	var raws, buses, ratios []float64
	nanoseconds := func(round func()) float64 {
		start := time.Now()
		round()
		return float64(time.Since(start).Nanoseconds()) / float64(size)
	}
	for b.Loop() {
		r, p := nanoseconds(raw), nanoseconds(bus)
		raws, buses, ratios = append(raws, r), append(buses, p), append(ratios, p/r)
	}
	b.ReportMetric(median(raws), "raw-ns/event")
	b.ReportMetric(median(buses), "bus-ns/event")
	b.ReportMetric(median(ratios), "bus/raw")
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// readers counts the values that arrive on some channels. Each channel has a
// goroutine, which ends when the channel closes.
type readers struct {
	n    int
	full chan struct{}
}

func newReaders[T any](channels []<-chan T, size int) readers {
	r := readers{len(channels), make(chan struct{}, len(channels))}
	for _, c := range channels {
		go func() {
			n := 0
			for range c {
				if n++; n%size == 0 {
					r.full <- struct{}{}
				}
			}
		}()
	}
	return r
}

// await waits until each reader has another size values.
func (r readers) await() {
	for range r.n {
		<-r.full
	}
}

// fanout is a set of bare channels with a reader each.
type fanout[T any] struct {
	channels []chan T
	readers  readers
	size     int
}

func newFanout[T any](n, capacity, size int) fanout[T] {
	f := fanout[T]{size: size}
	var ends []<-chan T
	for range n {
		c := make(chan T, capacity)
		f.channels, ends = append(f.channels, c), append(ends, c)
	}
	f.readers = newReaders(ends, size)
	return f
}

func (f fanout[T]) round(event func(i int) T) {
	for i := range f.size {
		v := event(i)
		for _, c := range f.channels {
			c <- v
		}
	}
	f.readers.await()
}

func (f fanout[T]) close() {
	for _, c := range f.channels {
		close(c)
	}
}

func subscribe[T any](topic *bus.Topic[T], n int) []<-chan T {
	channels := make([]<-chan T, n)
	for i := range channels {
		channels[i] = topic.Chan(context.Background())
	}
	return channels
}
