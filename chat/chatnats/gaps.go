package chatnats

import (
	"context"
	"time"
)

// A Gap is a range of sequences that the stream dropped before a reader
// received them, because of Config.MaxAge or Config.MaxBytes. If the reader
// reads certain chats only, some or all of these events may be of other chats.
type Gap struct {
	From, To uint64 // the first and the last sequence
}

// gaps finds the gaps of a reader.
type gaps struct {
	bus      *Bus
	filtered bool   // the reader does not receive every event
	next     uint64 // the sequence after the last one; 0 before the first
	unsure   uint64 // the first sequence that is not known to be kept; 0 for none
	asked    time.Time
}

// glances limits how often a filtered reader asks for the stream's state.
const glances = time.Second

// see is called with the sequence of each message. A reader that skips a
// sequence has lost it if the stream does not have it any more.
func (g *gaps) see(ctx context.Context, sequence uint64) (gap Gap, found bool, err error) {
	next := g.next
	g.next = sequence + 1
	if next == 0 || sequence <= next {
		return Gap{}, false, nil
	}
	setDefault(&g.unsure, next)
	if g.filtered && time.Since(g.asked) < glances {
		return Gap{}, false, nil
	}
	info, err := g.bus.stream.Info(ctx)
	if err != nil {
		g.next = next // the message is delivered again
		return Gap{}, false, err
	}
	unsure := g.unsure
	g.unsure, g.asked = 0, time.Now()
	if first := min(info.State.FirstSeq, sequence); first > unsure {
		return Gap{unsure, first - 1}, true, nil
	}
	return Gap{}, false, nil
}
