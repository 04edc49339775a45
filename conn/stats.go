package conn

import (
	"fmt"
	"sync/atomic"
)

// Stats says what a connection has done since New, and what waits in it now.
// The counts only grow. They are read one after the other, so that they belong
// to moments that are close together.
type Stats struct {
	Attempts  uint64 // sessions that were tried
	Sessions  uint64 // of those, the ones that the server let in
	Recovered uint64 // of those, the ones that the server has resumed

	Received      uint64 // packets: events, acknowledgements
	ReceivedBytes uint64 // their payloads, attachments included
	DecodeErrors  uint64 // what went out on Conn.DecodeErrors

	Sent      uint64 // packets: events, acknowledgements
	SentBytes uint64 // their encoding, attachments included
	Dropped   uint64 // events that TryEmit dropped

	Queued      int   // packets that wait to be written
	QueuedBytes int64 // and their bytes
	Waiting     int   // calls that wait for their acknowledgement
}

// counters are the counts of Stats.
type counters struct {
	attempts, sessions, recovered         atomic.Uint64
	received, receivedBytes, decodeErrors atomic.Uint64
	sent, sentBytes, dropped              atomic.Uint64
}

// Stats returns the counts so far. It is cheap: fit for being called with each
// scrape of a monitoring system.
func (c *Conn) Stats() Stats {
	stats := Stats{
		Attempts:      c.counters.attempts.Load(),
		Sessions:      c.counters.sessions.Load(),
		Recovered:     c.counters.recovered.Load(),
		Received:      c.counters.received.Load(),
		ReceivedBytes: c.counters.receivedBytes.Load(),
		DecodeErrors:  c.counters.decodeErrors.Load(),
		Sent:          c.counters.sent.Load(),
		SentBytes:     c.counters.sentBytes.Load(),
		Dropped:       c.counters.dropped.Load(),
	}
	c.mu.Lock()
	s := c.ready
	c.mu.Unlock()
	if s != nil {
		stats.Queued, stats.QueuedBytes = s.queue.waiting()
		stats.Waiting = s.waiting()
	}
	return stats
}

// Health returns nil while the connection is Ready, and an error that says
// where it stands, and why, while it is not: what a readiness probe wants to
// know. errors.Is finds [ErrNotReady] in it, and [ErrClosed] after Close;
// errors.As finds what ended the last session or attempt.
func (c *Conn) Health() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return fmt.Errorf("%w: %w", ErrNotReady, ErrClosed)
	case c.draining:
		return fmt.Errorf("%w: shutting down", ErrNotReady)
	case c.ready != nil:
		return nil
	case c.cause != nil:
		return fmt.Errorf("%w: %v, attempt %d: %w", ErrNotReady, c.state.Phase, c.state.Attempt, c.cause)
	}
	return fmt.Errorf("%w: %v", ErrNotReady, c.state.Phase)
}
