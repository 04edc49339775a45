package chat

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConfig_setsJoinEventAndPayload(t *testing.T) {
	meta := map[string]any{"tenant": "acme", "since": 1}
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"the default": {Config{}, `42["chat:join",{"chatId":"room-1"}]`},
		"with meta":   {Config{Meta: meta}, `42["chat:join",{"chatId":"room-1","since":1,"tenant":"acme"}]`},
		"a custom event": {Config{Names: map[events.Key]string{events.KeyJoin: "room:enter"}},
			`42["room:enter",{"chatId":"room-1"}]`},
		"a custom payload": {Config{ChatID: room1, Meta: meta, JoinPayload: map[string]any{"since": 5}},
			`42["chat:join",{"chatId":"room-1","tenant":"acme","since":5}]`},
		"no chat, but a payload":      {Config{JoinPayload: map[string]any{"ticket": "t"}}, `42["chat:join",{"ticket":"t"}]`},
		"a payload that is no object": {Config{JoinPayload: "room-1"}, `42["chat:join","room-1"]`},
		"none":                        {Config{NoJoin: true, ChatID: room1}, `42["mark",{"chatId":"room-1"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			stage := newStage(t, nil)
			client, _ := stage.run(t, tc.cfg)
			require.NoError(t, client.Emit(wiretest.Context(t), "mark", nil))
			assert.Equal(t, tc.want, stage.next(t))
		})
	}
}

// acknowledging acknowledges each join with the reply for its room.
func acknowledging(replies map[string]string) func(p *peer, frame string) {
	return func(p *peer, frame string) {
		id, rest, _ := strings.Cut(strings.TrimPrefix(frame, "42"), "[")
		for chatID, reply := range replies {
			if id != "" && strings.Contains(rest, `"chatId":"`+chatID+`"`) {
				p.Send("43" + id + reply)
			}
		}
	}
}

func TestReady_waitsForJoinAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := make(wire)
		client := w.client(t, Config{JoinTimeout: time.Second})
		_, stop := wiretest.Run(t, client)
		defer stop()
		l := w.accept("")
		assert.Equal(t, `420["chat:join",{"chatId":"room-1"}]`, <-l.out)
		synctest.Wait()
		assert.Equal(t, conn.Connected, client.State().Phase)
		l.send(`430[{"ok":true}]`)
		synctest.Wait()
		assert.Equal(t, conn.Ready, client.State().Phase)
	})
}

func TestJoinTimeout_endsSessionAndRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := make(wire)
		client := w.client(t, Config{JoinTimeout: time.Second})
		states := client.States.Chan(t.Context())
		_, stop := wiretest.Run(t, client)
		defer stop()
		l := w.accept("")
		<-l.out
		start := time.Now()
		for state := range states {
			if state.Phase == conn.Waiting {
				var late *JoinError
				require.ErrorAs(t, state.Err, &late)
				assert.Equal(t, JoinError{ChatID: room1, Err: context.DeadlineExceeded}, *late)
				break
			}
		}
		assert.Equal(t, time.Second, time.Since(start))
		l = w.accept("")
		<-l.out
		l.send(`430[]`)
		assert.NoError(t, client.Ready(t.Context()))
	})
}

func TestRun_returnsJoinErrorOnRejectedJoin(t *testing.T) {
	for reply, why := range map[string]string{
		`[{"error":"members only"}]`:      "refused: members only",
		`[{"ok":false,"code":7}]`:         "refused",
		`[{"success":false}]`:             "refused",
		`[{"error":{"code":"E_MEMBER"}}]`: "refused: map[code:E_MEMBER]",
		`[]`:                              "",
		`[null]`:                          "",
		`["ok"]`:                          "",
		`[{"error":null}]`:                "",
		`[{"error":false}]`:               "",
		`[{"ok":true}]`:                   "",
		`[7]`:                             "",
	} {
		t.Run(reply, func(t *testing.T) {
			stage := newStage(t, acknowledging(map[string]string{"room-1": reply}))
			client, ended := stage.run(t, Config{JoinTimeout: time.Minute})
			if why == "" {
				require.NoError(t, client.Ready(wiretest.Context(t)))
				return
			}
			var refused *JoinError
			require.ErrorAs(t, wiretest.ReceiveFrom(t, ended), &refused)
			assert.Equal(t, room1, refused.ChatID)
			assert.Equal(t, reply, "["+string(refused.Reply)+"]")
			assert.EqualError(t, refused.Err, why)
			assert.ErrorAs(t, client.Ready(wiretest.Context(t)), &refused)
			assert.ErrorAs(t, client.State().Err, &refused)
		})
	}
}

func TestRetry_repeatsRejectedJoin(t *testing.T) {
	refusals := 3
	stage := newStage(t, func(p *peer, frame string) {
		if refusals--; refusals > 0 {
			p.Send(`430[{"full":true}]`)
		} else {
			p.Send(`430[{"full":false}]`)
		}
	})
	full := errors.New("full")
	client, _ := stage.run(t, Config{
		JoinTimeout: time.Minute,
		JoinReply: func(chatID events.ID, reply json.RawMessage) error {
			if string(reply) == `{"full":true}` {
				return full
			}
			return nil
		},
		Conn: conn.Config{Retry: func(err error) bool { return errors.Is(err, full) }},
	})
	assert.NoError(t, client.Ready(wiretest.Context(t)))
}

func TestJoin_rejoinsRoomsAfterReconnect(t *testing.T) {
	stage := newStage(t, nil)
	client, _ := stage.run(t, Config{Meta: map[string]any{"tenant": "acme"}})
	ctx := wiretest.Context(t)
	require.NoError(t, client.Join(ctx, room2))
	require.NoError(t, client.Join(ctx, room2), "again, which changes nothing")
	require.NoError(t, client.Join(ctx, events.IntID(3)))
	require.NoError(t, client.Join(ctx, room1), "the client's own is joined anyway")
	require.NoError(t, client.Join(ctx, events.ID{}), "and is what no id means")
	join := func(id string) string { return `42["chat:join",{"chatId":` + id + `,"tenant":"acme"}]` }
	for _, id := range []string{`"room-1"`, `"room-2"`, `3`} {
		assert.Equal(t, join(id), stage.next(t))
	}
	require.NoError(t, client.Leave(ctx, room2))
	assert.Equal(t, `42["chat:leave",{"chatId":"room-2","tenant":"acme"}]`, stage.next(t))

	wiretest.ReceiveFrom(t, stage.peers).cut()
	for _, id := range []string{`"room-1"`, `3`} {
		assert.Equal(t, join(id), stage.next(t))
	}
	require.NoError(t, client.Leave(ctx, events.ID{}))
	assert.Equal(t, `42["chat:leave",{"chatId":"room-1","tenant":"acme"}]`, stage.next(t))
	wiretest.ReceiveFrom(t, stage.peers).cut()
	assert.Equal(t, join(`3`), stage.next(t))
	require.NoError(t, client.Join(ctx, room2))
	assert.Equal(t, join(`"room-2"`), stage.next(t), "and nothing in between")
}

func TestJoin_returnsRejectionWithoutEndingRun(t *testing.T) {
	stage := newStage(t, acknowledging(map[string]string{"room-1": `[]`, "room-2": `[{"ok":false}]`, "room-3": `[]`}))
	client := stage.client(t, Config{JoinTimeout: time.Minute})
	joined := make(chan error, 1)
	go func() { joined <- client.Join(wiretest.Context(t), room2) }() // ends when it is refused
	for waiting := false; !waiting; {
		client.rooms.mu.Lock()
		waiting = len(client.rooms.joinings) == 1
		client.rooms.mu.Unlock()
	}
	wiretest.Run(t, client) // Join was called before there is a session
	var refused *JoinError
	require.ErrorAs(t, wiretest.ReceiveFrom(t, joined), &refused)
	assert.Equal(t, JoinError{ChatID: room2, Reply: json.RawMessage(`{"ok":false}`), Err: refused.Err}, *refused)
	assert.Equal(t, conn.Ready, client.State().Phase, "the client goes on")
	require.NoError(t, client.Join(wiretest.Context(t), events.StringID("room-3")))

	for range 3 {
		stage.next(t)
	}
	wiretest.ReceiveFrom(t, stage.peers).cut()
	assert.Equal(t, `420["chat:join",{"chatId":"room-1"}]`, stage.next(t))
	assert.Equal(t, `421["chat:join",{"chatId":"room-3"}]`, stage.next(t), "what was refused is not tried again")
}

func TestJoin_retriesOnNextSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := make(wire)
		client := w.client(t, Config{})
		_, stop := wiretest.Run(t, client)
		defer stop()
		l := w.accept("")
		<-l.out
		synctest.Wait()

		// A Join that has taken the first session just before its end.
		first := client.conn.Session()
		l.cut()
		l = w.accept("")
		<-l.out
		synctest.Wait()
		assert.True(t, notSent(client.rooms.joinOn(t.Context(), first, &joining{chatID: room2})))
		require.NoError(t, client.Join(t.Context(), room2))
		assert.Equal(t, `42["chat:join",{"chatId":"room-2"}]`, <-l.out)
	})
}

func TestLeave_endsPendingJoinWithErrLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := make(wire)
		client := w.client(t, Config{JoinTimeout: time.Hour})
		_, stop := wiretest.Run(t, client)
		defer stop()
		join := func() chan error {
			joined := make(chan error, 1)
			go func() { joined <- client.Join(t.Context(), room2) }() // ends when it is left
			synctest.Wait()
			return joined
		}
		left := make(chan error, 2)
		leave := func() {
			go func() { left <- client.Leave(t.Context(), room2) }() // ends when it is written
			synctest.Wait()
		}

		waiting := join() // for Ready
		leave()
		assert.Equal(t, &JoinError{ChatID: room2, Err: ErrLeft}, <-waiting)
		l := w.accept("")
		<-l.out
		l.send(`430[]`)
		assert.NoError(t, <-left)
		assert.Equal(t, `42["chat:leave",{"chatId":"room-2"}]`, <-l.out, "the room is not joined at all")

		asked := join() // for its acknowledgement
		assert.Equal(t, `421["chat:join",{"chatId":"room-2"}]`, <-l.out)
		leave()
		assert.ErrorIs(t, <-asked, ErrLeft)
		assert.NoError(t, <-left)
		assert.Equal(t, `42["chat:leave",{"chatId":"room-2"}]`, <-l.out)
		l.cut()
		l = w.accept("")
		<-l.out
		l.send(`430[]`)
		synctest.Wait()
		assert.Empty(t, l.out)
		assert.Empty(t, client.rooms.joinings)
	})
}

func TestJoin_overridesPendingLeave(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		require.NoError(t, client.Join(t.Context(), room2))
		client.rooms.mu.Lock()
		client.rooms.forget(room2, func(*joining) bool { return true }) // the first half of a Leave
		client.rooms.mu.Unlock()
		require.NoError(t, client.Join(t.Context(), room2))
		require.NoError(t, client.rooms.sendLeave(t.Context(), room2))
		assert.Equal(t, `42["chat:join",{"chatId":"room-2"}]`, <-l.out)
		assert.Equal(t, `42["chat:join",{"chatId":"room-2"}]`, <-l.out)
		assert.Empty(t, l.out)
		assert.Len(t, client.rooms.rooms, 2)
	})
}

func TestJoin_failsWhenContextEndsOrClientCloses(t *testing.T) {
	stage := newStage(t, acknowledging(map[string]string{"room-1": `[]`}))
	client, _ := stage.run(t, Config{JoinTimeout: time.Minute})
	require.NoError(t, client.Ready(wiretest.Context(t)))
	ctx, cancel := context.WithCancel(t.Context())
	joined := make(chan error, 1)
	go func() { joined <- client.Join(ctx, room2) }() // ends with ctx
	stage.next(t)
	stage.next(t)
	cancel()
	var failed *conn.SendError
	require.ErrorAs(t, wiretest.ReceiveFrom(t, joined), &failed)
	assert.True(t, failed.MaybeSent)
	assert.ErrorIs(t, failed, context.Canceled)
	client.Close()
	assert.ErrorIs(t, client.Join(t.Context(), room2), conn.ErrClosed)
	assert.ErrorIs(t, client.Leave(t.Context(), room2), conn.ErrClosed)
}

func TestRun_endsWhenRejoinIsRejected(t *testing.T) {
	var gone atomic.Bool
	stage := newStage(t, func(p *peer, frame string) {
		second := `[]`
		if gone.Load() {
			second = `[{"error":"gone"}]`
		}
		acknowledging(map[string]string{"room-1": `[]`, "room-2": second})(p, frame)
	})
	client, ended := stage.run(t, Config{JoinTimeout: time.Minute})
	require.NoError(t, client.Join(wiretest.Context(t), room2))
	gone.Store(true)
	wiretest.ReceiveFrom(t, stage.peers).cut()
	var refused *JoinError
	require.ErrorAs(t, wiretest.ReceiveFrom(t, ended), &refused)
	assert.Equal(t, room2, refused.ChatID)
	assert.Error(t, client.Leave(wiretest.Context(t), refused.ChatID), "the leave is not sent, but the room is not joined again")
	states := client.States.Chan(t.Context())
	wiretest.Run(t, client)
	for wiretest.ReceiveFrom(t, states).Phase != conn.Ready {
	}
}

func TestInRoom_filtersEventsByRoom(t *testing.T) {
	stage := newStage(t, nil)
	client, _ := stage.run(t, Config{})
	require.NoError(t, client.Join(wiretest.Context(t), room2))
	every := client.Tokens.Chan(t.Context())
	second := client.Tokens.Chan(t.Context(), InRoom[events.AIToken](room2))
	ofSecond := client.Events.Chan(t.Context(), InRoom[events.Event](room2))
	wiretest.ReceiveFrom(t, stage.peers).Send(
		`42["ai:token",{"chatId":"room-1","token":"one","index":0}]`,
		`42["ai:token",{"token":"none","index":0}]`,
		`42["ai:token",{"chatId":"room-2","token":"two","index":0}]`)
	assert.Equal(t, room1, wiretest.ReceiveFrom(t, every).ChatID)
	assert.True(t, wiretest.ReceiveFrom(t, every).ChatID.IsZero())
	assert.Equal(t, room2, wiretest.ReceiveFrom(t, every).ChatID)
	assert.Equal(t, "two", wiretest.ReceiveFrom(t, second).Token)
	assert.Equal(t, room2, wiretest.ReceiveFrom(t, ofSecond).Envelope().ChatID)
}
