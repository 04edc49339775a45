package conn

import (
	"fmt"
	"sync/atomic"
)

// Stats counts the sessions and packets of a connection since New, and the
// packets and calls that wait now. The counts never decrease. They are read one
// after the other, so they may differ by a few events.
type Stats struct {
	Attempts  uint64 // attempts to connect
	Sessions  uint64 // attempts that succeeded
	Recovered uint64 // sessions that the server resumed

	Received      uint64 // packets: events, acknowledgements
	ReceivedBytes uint64 // of their payloads, attachments included
	DecodeErrors  uint64 // values published on Conn.DecodeErrors

	Sent      uint64 // packets: events, acknowledgements
	SentBytes uint64 // of their encoding, attachments included
	Dropped   uint64 // events that TryEmit dropped

	Queued      int   // packets that wait to be written
	QueuedBytes int64 // their memory, which Config.MaxQueueBytes limits
	Waiting     int   // calls that wait for an acknowledgement
}

// counters are the counts of Stats.
type counters struct {
	attempts, sessions, recovered         atomic.Uint64
	received, receivedBytes, decodeErrors atomic.Uint64
	sent, sentBytes, dropped              atomic.Uint64
}

// Stats returns the counts. It is cheap enough for each scrape of a monitoring
// system.
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

// Health returns nil while the connection is Ready. Otherwise it returns an
// error with the phase and the cause, as a readiness probe needs it. The error
// wraps [ErrNotReady]. Before Shutdown and Close it also wraps the error of the
// last session or attempt, if that failed; after Close it wraps [ErrClosed].
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
	case c.state.Phase == Idle, c.state.Phase == Stopped:
		return fmt.Errorf("%w: Run is not running", ErrNotReady)
	}
	return fmt.Errorf("%w: %v", ErrNotReady, c.state.Phase)
}
