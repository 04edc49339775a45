package main

import (
	"context"
	"sync"
	"time"

	"github.com/seed67206a74/parley/bus"
)

// A meter is a subscription that measures the lag of its reader.
type meter[T any] struct {
	*bus.Subscription[T]
	name   string
	limit  int
	policy bus.Policy
	key    func(T) any // identifies a value

	mu        sync.Mutex
	published []stamp // values that took has not removed, the oldest first
}

type stamp struct {
	key any
	at  time.Time
}

// A reading is the current state of a meter.
type reading struct {
	Name      string `json:"name"`
	Policy    string `json:"policy"`
	Limit     int    `json:"limit"`
	Pending   int    `json:"pending"`
	HighWater int    `json:"highWater"`
	Delivered uint64 `json:"delivered"`
	Dropped   uint64 `json:"dropped"`
	LagMs     int64  `json:"lagMs"` // age of the oldest pending value
	Ended     string `json:"ended,omitempty"`
	Note      string `json:"note,omitempty"`
}

// subscribe subscribes with a meter. The keys of the values must be comparable.
func subscribe[T any](ctx context.Context, name string, from bus.Source[T], limit int, policy bus.Policy, key func(T) any) *meter[T] {
	m := &meter[T]{name: name, limit: limit, policy: policy, key: key}
	m.Subscription = from.Subscribe(ctx, bus.Name(name), bus.Limit(limit), bus.OnOverflow(policy), bus.Filter(m.note))
	return m
}

// note records the time of a value. The publisher calls it for each value.
func (m *meter[T]) note(value T) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch full := len(m.published) > 2*m.limit; { // the reader has stopped
	case full && m.policy == bus.DropOldest:
		m.published = append(m.published[:0], m.published[m.limit:]...)
	case full:
		return true
	}
	m.published = append(m.published, stamp{m.key(value), time.Now()})
	return true
}

// took removes a value that the reader received, and the values before it,
// which were dropped.
func (m *meter[T]) took(value T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := m.key(value)
	for i, s := range m.published {
		if s.key == key {
			m.published = m.published[i+1:]
			return
		}
	}
}

func (m *meter[T]) read() reading {
	stats := m.Stats()
	r := reading{
		Name: m.name, Policy: m.policy.String(), Limit: m.limit,
		Pending: stats.Pending, HighWater: stats.HighWater, Delivered: stats.Delivered, Dropped: stats.Dropped,
	}
	if err := m.Err(); err != nil {
		r.Ended = err.Error()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	oldest := 0
	if m.policy == bus.DropOldest {
		oldest = len(m.published) - stats.Pending
	}
	if stats.Pending > 0 && oldest >= 0 && oldest < len(m.published) {
		r.LagMs = time.Since(m.published[oldest].at).Milliseconds()
	}
	return r
}
