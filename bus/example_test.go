package bus_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed67206a74/parley/bus"
)

func Example() {
	ctx := context.Background()
	var prices bus.Topic[int]

	c := prices.Chan(ctx)
	go func() { // ends once it has published
		defer prices.Close()
		prices.Publish(1)
		prices.Publish(2)
	}()
	for p := range c { // ends with the topic, or with ctx
		fmt.Println(p)
	}
	// Output:
	// 1
	// 2
}

// A select receives from the channels of several topics.
func ExampleTopic_Chan() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel() // closes both
	var tokens bus.Topic[string]
	var states bus.Topic[int]

	words, codes := tokens.Chan(ctx), states.Chan(ctx)
	tokens.Publish("hello")
	for {
		select {
		case word, ok := <-words:
			if !ok { // ctx has ended
				return
			}
			fmt.Println(word)
			states.Publish(200)
		case code, ok := <-codes:
			if ok {
				fmt.Println(code)
			}
			return
		}
	}
	// Output:
	// hello
	// 200
}

// A slow reader that wants only the latest values.
func ExampleOnOverflow() {
	topic := bus.Topic[int]{Logger: slog.New(slog.DiscardHandler)}
	sub := topic.Subscribe(context.Background(), bus.Limit(3), bus.OnOverflow(bus.DropOldest))
	for n := range 10 {
		topic.Publish(n)
	}
	topic.Close()
	for n := range sub.C() {
		fmt.Println(n)
	}
	fmt.Println(sub.Err())
	fmt.Printf("%+v\n", sub.Stats())
	// Output:
	// 7
	// 8
	// 9
	// bus: closed
	// {Delivered:3 Dropped:7 Pending:0 Bytes:0 HighWater:3}
}

// By default a subscription ends when a value exceeds its limit.
func ExampleSubscription_Err() {
	topic := bus.Topic[int]{Logger: slog.New(slog.DiscardHandler)}
	sub := topic.Subscribe(context.Background(), bus.Limit(2))
	for n := range 10 {
		topic.Publish(n)
	}
	for n := range sub.C() {
		fmt.Println(n)
	}
	if errors.Is(sub.Err(), bus.ErrSlowConsumer) {
		fmt.Println("too slow")
	}
	// Output:
	// 0
	// 1
	// too slow
}

func ExampleSubscription_Close() {
	var topic bus.Topic[int]
	sub := topic.Subscribe(context.Background())
	topic.Publish(1)
	sub.Close()
	topic.Publish(2)
	for n := range sub.C() {
		fmt.Println(n)
	}
	fmt.Println(sub.Err())
	// Output:
	// 1
	// bus: closed
}

// A context bounds how long a full subscription blocks the publisher.
func ExampleTopic_PublishContext() {
	topic := bus.Topic[string]{Logger: slog.New(slog.DiscardHandler)}
	sub := topic.Subscribe(context.Background(), bus.Limit(1), bus.OnOverflow(bus.Block))
	defer sub.Close()
	topic.Publish("fits")

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	fmt.Println(topic.PublishContext(ctx, "does not"))
	fmt.Println(<-sub.C())
	// Output:
	// context deadline exceeded
	// fits
}

// A new subscription starts with the current state.
func ExampleTopic_replay() {
	states := bus.Topic[string]{Name: "states", Replay: 1}
	states.Publish("connecting")
	states.Publish("connected")
	fmt.Println(<-states.Chan(context.Background()))
	// Output: connected
}

// A thermometer publishes. Its users can only subscribe.
func ExampleSource() {
	type thermometer struct {
		Celsius  bus.Source[float64]
		readings *bus.Topic[float64]
	}
	readings := &bus.Topic[float64]{Name: "celsius"}
	t := thermometer{Celsius: readings.Source(), readings: readings}

	c := t.Celsius.Chan(context.Background())
	t.readings.Publish(21.5)
	fmt.Println(<-c)
	// Output: 21.5
}

// A publisher skips the work for a value without subscribers.
func ExampleTopic_Active() {
	var topic bus.Topic[string]
	publish := func() {
		if !topic.Active() {
			fmt.Println("no subscribers")
			return
		}
		topic.Publish(fmt.Sprint("decoded at ", "great cost"))
	}
	publish()
	c := topic.Chan(context.Background())
	publish()
	fmt.Println(<-c)
	// Output:
	// no subscribers
	// decoded at great cost
}

// The subscription receives the high readings only.
func ExampleFilter() {
	var readings bus.Topic[int]
	high := readings.Chan(context.Background(), bus.Filter(func(n int) bool { return n > 30 }))
	for _, n := range []int{21, 35, 22, 40} {
		readings.Publish(n)
	}
	readings.Close()
	for n := range high {
		fmt.Println(n)
	}
	// Output:
	// 35
	// 40
}

// At most ten bytes are pending. The oldest lines are dropped first.
func ExampleLimitBytes() {
	lines := bus.Topic[string]{Logger: slog.New(slog.DiscardHandler)}
	sub := lines.Subscribe(context.Background(), bus.OnOverflow(bus.DropOldest),
		bus.LimitBytes(10, func(line string) int { return len(line) }))
	for _, line := range []string{"hello", "you", "world"} {
		lines.Publish(line)
	}
	fmt.Println(sub.Stats().Bytes)
	lines.Close()
	for line := range sub.C() {
		fmt.Println(line)
	}
	// Output:
	// 8
	// you
	// world
}

// Only the latest room of each person is delivered.
func ExampleConflate() {
	type presence struct{ person, room string }
	var moves bus.Topic[presence]
	c := moves.Chan(context.Background(), bus.Conflate(func(p presence) string { return p.person }))
	moves.Publish(presence{"ann", "hall"})
	moves.Publish(presence{"bob", "hall"})
	moves.Publish(presence{"ann", "kitchen"})
	moves.Close()
	for p := range c {
		fmt.Println(p.person, p.room)
	}
	// Output:
	// ann kitchen
	// bob hall
}

func ExampleTopic_onSlow() {
	topic := bus.Topic[int]{
		Name:   "prices",
		Logger: slog.New(slog.DiscardHandler),
		OnSlow: func(s bus.SlowEvent) {
			fmt.Println(s.Topic, s.Subscription, s.CaughtUp, s.Stats.Dropped)
		},
	}
	topic.Subscribe(context.Background(), bus.Limit(1), bus.OnOverflow(bus.DropNewest), bus.Name("chart"))
	for n := range 3 {
		topic.Publish(n)
	}
	fmt.Println(topic.Stats().Slow)
	// Output:
	// prices chart false 1
	// 1
}
