package chat

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// An Inspection is a snapshot of a client, for a debug page. It has no text of
// a question or an answer, and no part of the Config but ChatID and the names.
type Inspection struct {
	URL    string // scheme, host and namespace; see [conn.Conn.URL]
	ChatID events.ID
	State  conn.State
	Names  map[events.Key]string // in force

	// Subscriptions has the open subscriptions by the name of the event, or by
	// the name of the topic.
	Subscriptions map[string][]bus.SubscriptionInfo

	Streams []StreamInfo // the open streams, the oldest first
	Stats   Stats
}

// A StreamInfo describes an open stream.
type StreamInfo struct {
	RequestID, MessageID, TraceID string
	ChatID                        events.ID

	// Phase is "queued" before a session takes the question, and "sent" until
	// it is known to be written. It is "asked" until the first token or
	// message, and "answering" until the final message. It is "finishing" while
	// tokens are missing after that, and then "closing".
	Phase string

	Age    time.Duration // since Ask was called
	Idle   time.Duration // since the last event of the answer; 0 without one
	Tokens int
	Tools  int // tool calls of the answer that run or wait
}

// Inspect returns a snapshot of the client. It costs more than Stats.
func (c *Client) Inspect() Inspection {
	subscriptions := c.conn.Subscriptions()
	for name, all := range map[string][]bus.SubscriptionInfo{"Events": c.Events.Subscriptions(), "Names": c.Names.Subscriptions()} {
		if len(all) > 0 {
			subscriptions[name] = append(subscriptions[name], all...)
		}
	}
	return Inspection{
		URL: c.conn.URL(), ChatID: c.cfg.ChatID, State: c.State(), Names: c.names.snapshot(),
		Subscriptions: subscriptions, Streams: c.streams.inspect(), Stats: c.Stats(),
	}
}

func (l *eventListener[T]) Subscriptions() []bus.SubscriptionInfo { return l.topic.Subscriptions() }

// snapshot returns the current names.
func (t *nameTable) snapshot() map[events.Key]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.current)
}

var phaseNames = [...]string{"queued", "sent", "asked", "answering", "finishing", "closing", "ended"}

func (ss *streams) inspect() []StreamInfo {
	var all []StreamInfo
	now := time.Now()
	for _, s := range ss.filter(func(*Stream) bool { return true }) {
		all = append(all, s.inspect(now))
	}
	slices.SortFunc(all, func(a, b StreamInfo) int { return cmp.Compare(b.Age, a.Age) })
	return all
}

func (s *Stream) inspect(now time.Time) StreamInfo {
	q := s.question
	info := StreamInfo{RequestID: q.RequestID, MessageID: q.MessageID, TraceID: q.TraceID, ChatID: q.ChatID, Age: now.Sub(s.made)}
	s.mu.Lock()
	defer s.mu.Unlock()
	info.Phase, info.Tokens, info.Tools = phaseNames[s.phase], s.answer.tokens.len, s.limits.tools
	if !s.limits.heard.IsZero() {
		info.Idle = now.Sub(s.limits.heard)
	}
	return info
}
