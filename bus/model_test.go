package bus_test

import (
	"context"
	"slices"

	"github.com/seed67206a74/parley/bus"
)

// An item is a published value of a schedule. Its number n is unique.
type item struct{ n, key, size int }

func itemKey(i item) int      { return i.key }
func itemSize(i item) int     { return i.size }
func matchesItem(i item) bool { return i.key != 0 }

// settings are a subscription's options.
type settings struct {
	policy                bus.Policy
	limit, bytes          int // no limit on sizes if bytes is 0
	conflating, filtering bool
	published             bool // bytes limits the sizes of PublishSized
}

func (s settings) options() []bus.Option {
	options := []bus.Option{bus.OnOverflow(s.policy), bus.Limit(s.limit)}
	if s.published {
		options = append(options, bus.LimitBytes[item](s.bytes, nil))
	} else if s.bytes > 0 {
		options = append(options, bus.LimitBytes(s.bytes, itemSize))
	}
	if s.conflating {
		options = append(options, bus.Conflate(itemKey))
	}
	if s.filtering {
		options = append(options, bus.Filter(matchesItem))
	}
	return options
}

// publishedSize returns the size to publish v with.
func (s settings) publishedSize(v item) int {
	if s.published {
		return v.size
	}
	return 0
}

// buffered returns the number of values that can be received after Close: the
// values in the channel.
func (s settings) buffered() int {
	switch {
	case s.conflating, s.policy == bus.Block && s.bytes > 0:
		return 0
	case s.policy == bus.Block:
		return min(128, s.limit-1)
	}
	return min(128, s.limit)
}

// A modelTopic computes the required behavior of a topic if operations do not
// overlap: every goroutine is blocked before the next one begins.
type modelTopic struct {
	replay  int
	closed  bool
	history []item
	subs    []*modelSub // the newest first, in the order of delivery
	waiting *modelWait  // the blocked publisher, if any
}

type modelWait struct {
	v    item
	subs []*modelSub // without room; the publisher waits for the first
	err  error       // of PublishContext
}

type modelSub struct {
	settings
	queue     []item
	delivered uint64
	dropped   uint64
	high      int
	slow      bool
	caughtUp  []bool // SlowEvent.CaughtUp of each transition
	err       error
}

func (m *modelTopic) subscribe(s settings) *modelSub {
	sub := &modelSub{settings: s}
	values := slices.Clone(m.history)
	if s.filtering {
		values = slices.DeleteFunc(values, func(v item) bool { return !matchesItem(v) })
	}
	for _, v := range values {
		sub.makeRoom(v)
		sub.put(v)
	}
	sub.dropped = 0
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
		return s.policy == bus.Block && (!s.filtering || matchesItem(v)) && !s.fits(v)
	})
}

// publish reports whether the publisher blocks.
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
		if (!s.filtering || matchesItem(v)) && !s.offer(v) {
			waiting = append(waiting, s)
		}
	}
	if waiting == nil {
		return false
	}
	m.waiting = &modelWait{v: v, subs: waiting}
	return true
}

// settle continues the blocked publisher as far as possible. It reports whether
// it is still blocked.
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

// giveUp ends the context of the blocked publisher.
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

// leave removes ended subscriptions from the topic.
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

func (s *modelSub) fits(v item) bool {
	n, bytes := len(s.queue), s.sum()
	if at := s.find(v); at >= 0 {
		n, bytes = n-1, bytes-s.queue[at].size
	}
	return n == 0 || n < s.limit && (s.bytes == 0 || bytes+v.size <= s.bytes)
}

// offer reports false if the publisher has to wait.
func (s *modelSub) offer(v item) bool {
	if s.fits(v) {
		if s.slow && len(s.queue) == 0 {
			s.slow = false
			s.caughtUp = append(s.caughtUp, true)
		}
		s.put(v)
		return true
	}
	if !s.slow {
		s.slow = true
		s.caughtUp = append(s.caughtUp, false)
	}
	switch s.policy {
	case bus.Block:
		return false
	case bus.DropOldest:
		s.makeRoom(v)
		s.put(v)
	case bus.DropNewest:
		s.dropped++
	case bus.Fail:
		s.dropped++
		s.end(bus.ErrSlowConsumer)
	}
	return true
}

func (s *modelSub) makeRoom(v item) {
	for !s.fits(v) {
		s.queue = s.queue[1:]
		s.dropped++
	}
}

func (s *modelSub) put(v item) {
	if at := s.find(v); at >= 0 {
		s.queue[at] = v
		s.dropped++
		return
	}
	s.queue = append(s.queue, v)
	s.high = max(s.high, len(s.queue))
}

func (s *modelSub) end(err error) {
	if s.err == nil {
		s.err = err
	}
}

// cut ends the subscription as Close or the end of its context does.
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

// stats returns 0 Bytes if there is no limit on them, as package bus does.
func (s *modelSub) stats() bus.Stats {
	stats := bus.Stats{Delivered: s.delivered, Dropped: s.dropped, Pending: len(s.queue), HighWater: s.high}
	if s.bytes > 0 {
		stats.Bytes = s.sum()
	}
	return stats
}
