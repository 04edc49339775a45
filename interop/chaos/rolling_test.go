package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Two servers behind one address restart one after the other. The answers and
// deliveries of a client continue.
func TestRollingRestart_continuesAnswersAndDeliveries(t *testing.T) {
	t.Parallel()
	s := startScene(t, chat.Config{})
	first, second := s.backend, startServer(t)
	ctx, cancel := context.WithCancel(wiretest.Context(t))
	defer cancel()
	var delivered []string
	delivering, enough := make(chan error, 1), make(chan struct{})
	go func() { // ends when enough is closed, or with ctx
		for n := 0; ; n++ {
			select {
			case <-enough:
				delivering <- nil
				return
			default:
			}
			id := fmt.Sprint("m", n)
			if _, err := s.client.Deliver(ctx, events.UserMessage{MessageID: id, UserID: user, Text: "hi"}); err != nil {
				delivering <- err
				return
			}
			delivered = append(delivered, id)
		}
	}()
	session := s.client.State().SessionID
	next := func(step string) {
		t.Helper()
		state := wiretest.ReceivePhase(t, s.states, conn.Ready)
		require.NotEqual(t, session, state.SessionID, step)
		session = state.SessionID
	}

	s.proxy.SetTarget(address(second))
	terminate(first)
	next("the first has ended")
	onSecond := s.begin(t, "r2")
	first.Start()
	s.proxy.SetTarget(address(first))
	s.proxy.Reset() // the second is drained before it ends
	next("the first is back")
	onFirst := s.begin(t, "r3")
	records := map[string]serverRecord{}
	close(enough)
	require.NoError(t, wiretest.ReceiveFrom(t, delivering))
	for name, backend := range map[string]string{"first": first.URL(), "second": second.URL()} {
		control := startConn(t, backend, conn.Config{Reconnect: policy})
		record, err := readRecord(ctx, control, s.room)
		require.NoError(t, err)
		records[name] = record
	}
	terminate(second)

	for _, stream := range []*chat.Stream{s.stream, onSecond, onFirst} {
		answered(t, stream)
	}
	// The servers share no memory. So both process a message whose
	// acknowledgement was lost, but no other message.
	processed := append(records["second"].Processed, records["first"].Processed...)
	processed = slices.Compact(processed)
	require.NotEmpty(t, processed)
	last := delivered[len(delivered)-len(processed):]
	assert.Equal(t, strings.Join(last, " "), strings.Join(processed, " "))
	assert.Empty(t, s.wire.wrong())
	assert.Empty(t, s.peer.states.wrong())
}
