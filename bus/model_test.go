package bus_test

import (
	"context"
	"slices"

	"github.com/seed67206a74/parley/bus"
)

// An item is what the schedules publish. Its number tells it from all others.
type item struct{ n, key, size int }

func itemKey(i item) int     { return i.key }
func itemSize(i item) int    { return i.size }
func itemWanted(i item) bool { return i.key != 0 }

// settings are a subscription's options.
type settings struct {
	policy                bus.Policy
	limit, bytes          int // no limit on sizes if bytes is 0
	conflating, selecting bool
}

func (s settings) options() []bus.Option {
	options := []bus.Option{bus.OnOverflow(s.policy), bus.Limit(s.limit)}
	if s.bytes > 0 {
		options = append(options, bus.LimitBytes(s.bytes, itemSize))
	}
	if s.conflating {
		options = append(options, bus.Conflate(itemKey))
	}
	if s.selecting {
		options = append(options, bus.Filter(itemWanted))
	}
	return options
}

// buffered is how many values survive a Close: what the channel holds.
func (s settings) buffered() int {
	switch {
	case s.conflating, s.policy == bus.Block && s.bytes > 0:
		return 0
	case s.policy == bus.Block:
		return min(128, s.limit-1)
	}
	return min(128, s.limit)
}

// A modelTopic says what a topic must do when nothing happens at the same time:
// everything comes to rest between two operations.
type modelTopic struct {
	replay  int
	closed  bool
	history []item
	subs    []*modelSub // the newest first, as they are served
	waiting *modelWait  // the publisher that waits, if one does
}

type modelWait struct {
	v    item
	subs []*modelSub // that have no room, the first of them is waited for
	err  error       // what PublishContext is to return
}

type modelSub struct {
	settings
	queue     []item
	delivered uint64
	dropped   uint64
	high      int
	slow      bool
	edges     []bool // caught up or not
	err       error
}

func (m *modelTopic) subscribe(s settings) *modelSub {
	sub := &modelSub{settings: s}
	values := slices.Clone(m.history)
	if s.selecting {
		values = slices.DeleteFunc(values, func(v item) bool { return !itemWanted(v) })
	}
	for _, v := range values {
		if at := sub.find(v); at >= 0 {
			sub.queue[at] = v
		} else {
			sub.queue = append(sub.queue, v)
		}
	}
	for len(sub.queue) > s.limit || len(sub.queue) > 1 && s.bytes > 0 && sub.sum() > s.bytes {
		sub.queue = sub.queue[1:]
	}
	sub.high = len(sub.queue)
	if m.closed {
		sub.err = bus.ErrClosed
	} else {
		m.subs = slices.Insert(m.subs, 0, sub)
	}
	return sub
}

func (m *modelTopic) wouldWait(v item) bool {
	return slices.ContainsFunc(m.subs, func(s *modelSub) bool {
		return s.policy == bus.Block && (!s.selecting || itemWanted(v)) && s.find(v) < 0 && s.full(v)
	})
}

// publish returns whether its publisher has to wait.
func (m *modelTopic) publish(v item) (waits bool) {
	if m.closed {
		return false
	}
	if m.replay > 0 {
		m.history = append(m.history, v)
		m.history = m.history[max(0, len(m.history)-m.replay):]
	}
	var waiting []*modelSub
	for _, s := range m.subs {
		if (!s.selecting || itemWanted(v)) && !s.offer(v) {
			waiting = append(waiting, s)
		}
	}
	if waiting == nil {
		return false
	}
	m.waiting = &modelWait{v: v, subs: waiting}
	return true
}

// settle lets the waiting publisher go as far as it can. It returns whether it
// still waits.
func (m *modelTopic) settle() (waits bool) {
	w := m.waiting
	for w != nil && len(w.subs) > 0 {
		switch s := w.subs[0]; {
		case s.err != nil:
			s.dropped++
		case !s.offer(w.v):
			return true
		}
		w.subs = w.subs[1:]
	}
	return false
}

// giveUp ends the context of the waiting publisher.
func (m *modelTopic) giveUp() {
	for _, s := range m.waiting.subs {
		if s.err != nil || !s.offer(m.waiting.v) {
			s.dropped++
			m.waiting.err = context.Canceled
		}
	}
	m.waiting.subs = nil
}

func (m *modelTopic) close() {
	m.closed = true
	for _, s := range m.subs {
		s.end(bus.ErrClosed)
	}
	m.subs = nil
}

// leave takes those that have ended off the topic.
func (m *modelTopic) leave() {
	m.subs = slices.DeleteFunc(m.subs, func(s *modelSub) bool { return s.err != nil })
}

func (s *modelSub) find(v item) int {
	if !s.conflating {
		return -1
	}
	return slices.IndexFunc(s.queue, func(w item) bool { return w.key == v.key })
}

func (s *modelSub) sum() (bytes int) {
	for _, v := range s.queue {
		bytes += v.size
	}
	return bytes
}

func (s *modelSub) full(v item) bool {
	return len(s.queue) >= s.limit || s.overweight(v)
}

func (s *modelSub) overweight(v item) bool {
	return s.bytes > 0 && len(s.queue) > 0 && s.sum()+v.size > s.bytes
}

// offer returns false if the publisher has to wait.
func (s *modelSub) offer(v item) bool {
	if at := s.find(v); at >= 0 {
		s.queue[at] = v
		s.dropped++
		return true
	}
	if !s.full(v) {
		if s.slow && len(s.queue) == 0 {
			s.slow = false
			s.edges = append(s.edges, true)
		}
		s.add(v)
		return true
	}
	if !s.slow {
		s.slow = true
		s.edges = append(s.edges, false)
	}
	switch s.policy {
	case bus.Block:
		return false
	case bus.DropOldest:
		s.queue = s.queue[1:]
		s.dropped++
		for s.overweight(v) {
			s.queue = s.queue[1:]
			s.dropped++
		}
		s.add(v)
	case bus.DropNewest:
		s.dropped++
	case bus.Fail:
		s.dropped++
		s.end(bus.ErrSlowConsumer)
	}
	return true
}

func (s *modelSub) add(v item) {
	s.queue = append(s.queue, v)
	s.high = max(s.high, len(s.queue))
}

func (s *modelSub) end(err error) {
	if s.err == nil {
		s.err = err
	}
}

// cut ends the subscription as Close does, or its context.
func (s *modelSub) cut(err error) {
	s.end(err)
	if kept := s.buffered(); len(s.queue) > kept {
		s.dropped += uint64(len(s.queue) - kept)
		s.queue = s.queue[:kept]
	}
}

func (s *modelSub) receive() (v item, ok bool) {
	if len(s.queue) == 0 {
		return v, false
	}
	v, s.queue = s.queue[0], s.queue[1:]
	s.delivered++
	return v, true
}

// stats leaves out Bytes if there is no limit on them, as the bus does.
func (s *modelSub) stats() bus.Stats {
	stats := bus.Stats{Delivered: s.delivered, Dropped: s.dropped, Pending: len(s.queue), HighWater: s.high}
	if s.bytes > 0 {
		stats.Bytes = s.sum()
	}
	return stats
}
