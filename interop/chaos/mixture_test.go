package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A mixture is the other work of a client in a round: messages, joins and
// leaves, tools, new names and statistics. It has the client's record of the
// messages and of the tool calls.
type mixture struct {
	p    *peer
	side events.ID // a further room

	mu    sync.Mutex
	sent  []string       // messages that were written
	calls map[string]int // how often the tool ran, by the id of the call

	joins, renames, reports atomic.Int64
}

// mixInterval is the time between two works of a kind.
const mixInterval = 100 * time.Millisecond

// mix starts the work. It ends when w has enough.
func (w *workload) mix(p *peer, working *sync.WaitGroup) *mixture {
	m := &mixture{p: p, side: events.StringID(p.room + "-side"), calls: map[string]int{}}
	chat.HandleTool(p.client, "increment", func(ctx context.Context, args struct{ N int }) (int, error) {
		call, _ := chat.ToolCallFromContext(ctx)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.calls[call.CallID]++
		return args.N + 1, nil
	})
	for _, work := range []func(n int) error{m.say, m.move, m.call, m.rename, m.report} {
		working.Go(func() {
			for n := 0; w.more(); n++ {
				if err := work(n); err != nil && !errors.Is(err, conn.ErrSessionLost) {
					w.fault("%s: %v", p.room, err)
					return
				}
				select {
				case <-time.After(mixInterval):
				case <-w.enough:
				}
			}
		})
	}
	return m
}

func (m *mixture) say(n int) error {
	id := fmt.Sprintf("%s-m-%d", m.p.room, n)
	err := m.p.client.SendMessage(context.Background(), events.UserMessage{MessageID: id, UserID: user, Text: "1 0"})
	if err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.sent = append(m.sent, id)
	}
	return errors.Join(err, m.sync())
}

// sync waits until the server has handled the events before it.
func (m *mixture) sync() error {
	_, err := call[int](context.Background(), m.p.client.Conn(), "chaos:present", map[string]string{"chatId": m.p.room})
	return err
}

func (m *mixture) move(int) error {
	m.joins.Add(1)
	ctx := context.Background()
	return errors.Join(m.p.client.Join(ctx, m.side), m.p.client.Leave(ctx, m.side), m.sync())
}

func (m *mixture) call(n int) error {
	payload := map[string]any{"callId": fmt.Sprintf("%s-c-%d", m.p.room, n), "n": n}
	return errors.Join(m.p.client.Emit(context.Background(), "chaos:call", payload), m.sync())
}

func (m *mixture) rename(n int) error {
	m.renames.Add(1)
	names := map[events.Key]string{
		events.KeyChatRead: fmt.Sprint("read-", n%2), events.KeyPresenceUpdate: fmt.Sprint("presence-", n%2),
	}
	if err := m.p.client.SetNames(names); err != nil {
		return err
	}
	read := events.Read{UserID: user, MessageIDs: []string{fmt.Sprint(n)}}
	return errors.Join(m.p.client.MarkRead(context.Background(), read), m.sync())
}

// report checks that the counters only grow.
func (m *mixture) report(int) error {
	m.reports.Add(1)
	before := m.p.client.Stats()
	if err := m.sync(); err != nil {
		return err
	}
	after := m.p.client.Stats()
	if after.Conn.Received <= before.Conn.Received || after.Conn.Sent <= before.Conn.Sent ||
		after.Answered < before.Answered || after.Failed < before.Failed {
		return fmt.Errorf("the statistics went from %+v to %+v", before, after)
	}
	return nil
}

// check compares the records of both ends.
func (m *mixture) check(t *testing.T) {
	t.Helper()
	require.NoError(t, m.sync())
	record, err := readRecord(wiretest.Context(t), m.p.control, m.p.room)
	require.NoError(t, err)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range m.sent {
		assert.LessOrEqual(t, record.Arrivals[id], 1, "%s is not sent again", id)
	}
	for id, runs := range m.calls {
		assert.Equal(t, 1, runs, "the tool runs once for %s", id)
	}
	for id, results := range record.Results {
		var n int
		_, err := fmt.Sscanf(id, m.p.room+"-c-%d", &n)
		require.NoError(t, err)
		assert.LessOrEqual(t, len(results), 1, id)
		for _, result := range results {
			assert.Equal(t, n+1, result, id)
		}
	}
	stats := m.p.client.Stats()
	assert.Zero(t, stats.Open)
	assert.Zero(t, stats.Delivering)
}

func (m *mixture) summary() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprintf("%s: %d messages, %d joins, %d tool calls, %d renames, %d reports", m.p.room,
		len(m.sent), m.joins.Load(), len(m.calls), m.renames.Load(), m.reports.Load())
}
