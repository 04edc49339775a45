package chatnats

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

func rawArgs(args ...string) (all []json.RawMessage) {
	for _, arg := range args {
		all = append(all, json.RawMessage(arg))
	}
	return all
}

func TestForwardRaw_forwardsEventsByName(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	feed := subscribe(t, b, SubscribeConfig{})
	raw, deliveries := feed.Raw.Chan(wiretest.Context(t)), feed.Deliveries.Chan(wiretest.Context(t))
	running(t, feed.Run)
	var topic bus.Topic[conn.Event]
	var refused refusals
	f, err := ForwardRaw(wiretest.Context(t), b, topic.Source(), []string{"consultation-result", "größe \n"},
		ForwardConfig{ChatID: room, OnRefused: refused.add})
	require.NoError(t, err)
	result := rawArgs(`{"chatId":"other-room","requestId":"r","traceId":"t","value":[1,2]}`, `"more"`)
	topic.Publish(conn.Event{Name: "consultation-result", Args: result})
	topic.Publish(conn.Event{Name: "ai:token", Args: result})
	topic.Publish(conn.Event{Name: "consultation-result", Args: result, Attachments: [][]byte{{1}}})
	topic.Publish(conn.Event{Name: "größe \n"})
	topic.Close()
	require.NoError(t, f.Wait())

	require.Equal(t, RawEvent{Name: "consultation-result", Args: result}, wiretest.ReceiveFrom(t, raw))
	second := wiretest.ReceiveFrom(t, raw)
	require.Equal(t, "größe \n", second.Name)
	require.Empty(t, second.Args)
	d := wiretest.ReceiveFrom(t, deliveries)
	require.Equal(t, otherRoom, d.ChatID)
	require.Equal(t, events.Envelope{ChatID: otherRoom, RequestID: "r", TraceID: "t"}, d.Event.Envelope())
	require.Equal(t, KeyRaw, d.Event.Key())
	require.Equal(t, room, wiretest.ReceiveFrom(t, deliveries).ChatID)
	require.Len(t, refused.errs, 1)
	require.ErrorIs(t, refused.errs[0], ErrBinary)
}

func TestForwardRaw_forwardsWaitingEventsAfterContext(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	var topic bus.Topic[conn.Event]
	ctx, cancel := context.WithCancel(wiretest.Context(t))
	f, err := ForwardRaw(ctx, b, topic.Source(), []string{"e"}, ForwardConfig{ChatID: room})
	require.NoError(t, err)
	for i := range 1000 {
		topic.Publish(conn.Event{Name: "e", Args: rawArgs(fmt.Sprint(i))})
	}
	cancel()
	require.NoError(t, f.Wait())
	require.Len(t, stored(t, b), 1000)

	ctx, lose := context.WithCancelCause(wiretest.Context(t))
	f, err = ForwardRaw(ctx, b, topic.Source(), []string{"e"}, ForwardConfig{})
	require.NoError(t, err)
	lose(ErrLeaseLost)
	require.ErrorIs(t, f.Wait(), ErrLeaseLost)
}

func TestWork_handlesRawEvents(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{Partitions: 1})
	var topic bus.Topic[conn.Event]
	f, err := ForwardRaw(wiretest.Context(t), b, topic.Source(), []string{"e"}, ForwardConfig{ChatID: room})
	require.NoError(t, err)
	topic.Publish(conn.Event{Name: "e", Args: rawArgs("1")})
	topic.Close()
	require.NoError(t, f.Wait())
	letters, err := b.conn.SubscribeSync("parley.dead.>")
	require.NoError(t, err)
	dead := working(t, b, GroupConfig{}, func(context.Context, Delivery) error { return Term(errBroken) })
	require.Equal(t, RawEvent{Name: "e", Args: rawArgs("1")}, wiretest.ReceiveFrom(t, dead).Event)
	msg, err := letters.NextMsgWithContext(wiretest.Context(t))
	require.NoError(t, err)
	require.Equal(t, `"e"`, msg.Header.Get(HeaderEvent))
	require.JSONEq(t, "[1]", string(msg.Data))
}
