package chat

import (
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
)

// Stats says what a client has done since New, and what is under way in it
// now. The counts only grow.
type Stats struct {
	Conn conn.Stats

	// Topics has the statistics of each topic, by the name of the Client's
	// field: what its open subscriptions were offered, and what waits in them.
	Topics map[string]bus.TopicStats

	Answered uint64 // answers that were whole
	Failed   uint64 // those that ended with an error, and questions that could not be asked
	Open     int    // those that are under way

	Delivering int // messages that Deliver has not come to an end with
	Tools      int // calls of tools that run or wait
}

// Stats returns the counts so far. It is cheap: fit for being called with each
// scrape of a monitoring system. [Stream.Progress] has those of one answer.
func (c *Client) Stats() Stats {
	return Stats{
		Conn: c.conn.Stats(),
		Topics: map[string]bus.TopicStats{
			"Processing": c.Processing.Stats(), "Tokens": c.Tokens.Stats(), "Messages": c.Messages.Stats(),
			"Errors": c.Errors.Stats(), "ToolCalls": c.ToolCalls.Stats(), "ToolResults": c.ToolResults.Stats(),
			"ChatMessages": c.ChatMessages.Stats(), "Presence": c.Presence.Stats(), "Events": c.Events.Stats(),
			"ServerErrors": c.ServerErrors.Stats(), "DecodeErrors": c.DecodeErrors.Stats(),
			"States": c.States.Stats(), "Raw": c.Raw.Stats(),
		},
		Answered:   c.streams.answered.Load(),
		Failed:     c.streams.failed.Load(),
		Open:       int(c.streams.count.Load()),
		Delivering: int(c.delivering.Load()),
		Tools:      c.tools.underWay(),
	}
}

// Health returns nil while the client is Ready, and an error that says where
// it stands, and why, while it is not; see [conn.Conn.Health].
func (c *Client) Health() error { return c.conn.Health() }
