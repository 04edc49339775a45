package chaos

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
)

// stuckLimit is the limit of the stuck readers.
const stuckLimit = 20

// slowEvery is the number of values between two pauses of a slow reader.
const slowEvery = 25

// readers are slow and stuck readers of the topics of a client, one for each
// policy and topic. They subscribe before the first event.
type readers struct {
	receiving sync.WaitGroup // the readers that are not stuck
	checks    []func(t *testing.T)
	totals    []func() string // for the log
}

// startReaders subscribes. The readers end when the client is closed.
func (p *peer) startReaders(t testing.TB) *readers {
	r := &readers{}
	read(r, t, topic[events.AIToken]{"Tokens", p.client.Tokens, func(v events.AIToken) string { return v.RequestID }})
	read(r, t, topic[events.AIMessage]{"Messages", p.client.Messages, func(v events.AIMessage) string { return v.RequestID }})
	read(r, t, topic[events.Event]{"Events", p.client.Events, func(v events.Event) string { return string(v.Key()) }})
	read(r, t, topic[conn.Event]{"Raw", p.client.Raw, func(v conn.Event) string { return v.Name }})
	read(r, t, topic[conn.State]{"States", p.client.States, func(v conn.State) string { return v.Phase.String() }})
	return r
}

// A topic is a topic of a client. group returns the key of a value for
// bus.Conflate. Its length is the size for bus.LimitBytes.
type topic[T any] struct {
	name   string
	source bus.Source[T]
	group  func(T) string
}

func (t topic[T]) size(v T) int { return len(t.group(v)) }

// label returns text that differs between the values of a topic.
func label[T any](v T) string { return fmt.Sprintf("%T %v", v, v) }

// A policyReader is a reader of a topic. want returns the values that it must
// receive; if it is nil, the reader may receive any of them, in order.
type policyReader[T any] struct {
	name    string
	stuck   bool // receives nothing before the client is closed
	options []bus.Option
	want    func(published []T) []T

	sub *bus.Subscription[T]
	got []T
}

// read subscribes one reader that keeps up, and the others. Their check
// compares the values that they receive with those of the first.
func read[T any](r *readers, t testing.TB, topic topic[T]) {
	all := &policyReader[T]{name: "keeps up", options: []bus.Option{bus.Limit(1 << 20)}}
	behind := []*policyReader[T]{
		{name: "stuck Fail", stuck: true, options: limited(bus.Fail), want: first[T]},
		{name: "stuck DropOldest", stuck: true, options: limited(bus.DropOldest), want: last[T]},
		{name: "stuck DropNewest", stuck: true, options: limited(bus.DropNewest), want: first[T]},
		{name: "stuck LimitBytes", stuck: true, want: func(published []T) []T { return fitting(published, topic.size) },
			options: append(limited(bus.DropNewest), bus.LimitBytes(stuckBytes, topic.size))},
		{name: "stuck Conflate", stuck: true, options: []bus.Option{bus.Limit(1 << 20), bus.Conflate(topic.group)},
			want: func(published []T) []T { return latest(published, topic.group) }},
		{name: "slow DropOldest", options: limited(bus.DropOldest)},
		{name: "slow DropNewest", options: limited(bus.DropNewest)},
	}
	if topic.name == "States" { // it does not allow Block
		refused := topic.source.Subscribe(t.Context(), bus.OnOverflow(bus.Block))
		r.checks = append(r.checks, func(t *testing.T) { assert.ErrorIs(t, refused.Err(), bus.ErrNoBlock) })
	} else {
		everything := func(published []T) []T { return published }
		behind = append(behind,
			&policyReader[T]{name: "slow Block", want: everything, options: []bus.Option{bus.OnOverflow(bus.Block), bus.Limit(1)}},
			&policyReader[T]{name: "slow Block, LimitBytes", want: everything,
				options: []bus.Option{bus.OnOverflow(bus.Block), bus.LimitBytes(1, topic.size)}})
	}
	for _, one := range append(behind, all) {
		one.sub = topic.source.Subscribe(t.Context(), one.options...)
		if !one.stuck {
			r.receiving.Go(func() { one.receive(one != all) }) // ends when the client is closed
		}
	}
	r.checks = append(r.checks, func(t *testing.T) {
		for _, one := range behind {
			one.check(named{t, topic.name + ", " + one.name}, all.got)
		}
	})
	r.totals = append(r.totals, func() string { return fmt.Sprintf("%d of %s", len(all.got), topic.name) })
}

func limited(policy bus.Policy) []bus.Option {
	return []bus.Option{bus.OnOverflow(policy), bus.Limit(stuckLimit)}
}

// receive receives until the channel closes. A slow reader pauses now and then.
func (one *policyReader[T]) receive(slowly bool) {
	for v := range one.sub.C() {
		one.got = append(one.got, v)
		if slowly && len(one.got)%slowEvery == 0 {
			<-time.After(10 * time.Millisecond)
		}
	}
}

// check compares the received values with the published ones. The topic is
// closed.
func (one *policyReader[T]) check(t assert.TestingT, published []T) {
	if one.stuck {
		one.receive(false)
	}
	got, all := labels(one.got), labels(published)
	stats := one.sub.Stats()
	assert.EqualValues(t, len(got), stats.Delivered)
	assert.Zero(t, stats.Pending)
	if err := one.sub.Err(); err == bus.ErrSlowConsumer {
		assert.Greater(t, len(all), stuckLimit)
		assert.EqualValues(t, 1, stats.Dropped, "the value that did not fit")
	} else {
		assert.Equal(t, bus.ErrClosed, err)
		assert.EqualValues(t, len(all)-len(got), stats.Dropped)
	}
	if one.want != nil {
		assert.Equal(t, labels(one.want(published)), got)
		return
	}
	for _, v := range got {
		i := slices.Index(all, v)
		if !assert.GreaterOrEqual(t, i, 0, "out of order or repeated: %s", v) {
			return
		}
		all = all[i+1:]
	}
}

// A named adds a name to the errors of a test. A subtest for each reader would
// keep memory until the end of a long run.
type named struct {
	t    *testing.T
	name string
}

func (n named) Errorf(format string, args ...any) {
	n.t.Errorf("%s: "+format, append([]any{n.name}, args...)...)
}

func labels[T any](values []T) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = label(v)
	}
	return texts
}

func first[T any](published []T) []T { return published[:min(stuckLimit, len(published))] }
func last[T any](published []T) []T  { return published[max(0, len(published)-stuckLimit):] }

// stuckBytes is a limit that a few values reach.
const stuckBytes = 100

// fitting returns the values that fit in stuckBytes together with those before
// them.
func fitting[T any](published []T, size func(T) int) (kept []T) {
	sum := 0
	for _, v := range published {
		if len(kept) < stuckLimit && (sum+size(v) <= stuckBytes || len(kept) == 0) {
			kept = append(kept, v)
			sum += size(v)
		}
	}
	return kept
}

// latest returns the last value of each group, in the order of their first
// ones.
func latest[T any](published []T, group func(T) string) (kept []T) {
	at := map[string]int{}
	for _, v := range published {
		key := group(v)
		if i, ok := at[key]; ok {
			kept[i] = v
			continue
		}
		at[key] = len(kept)
		kept = append(kept, v)
	}
	return kept
}

// check stops and closes the client, and checks the values that each reader has
// received.
func (r *readers) check(t *testing.T, p *peer) {
	t.Helper()
	p.stop() // first: a topic may be closed during a publish
	_ = p.client.Close()
	r.receiving.Wait()
	for _, check := range r.checks {
		check(t)
	}
}

func (r *readers) summary() string {
	text := "readers of"
	for _, total := range r.totals {
		text += " " + total()
	}
	return text
}
