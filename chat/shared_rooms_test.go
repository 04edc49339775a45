package chat

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	joinOf2  = `42["chat:join",{"chatId":"room-2"}]`
	leaveOf2 = `42["chat:leave",{"chatId":"room-2"}]`
)

// share joins room 2 with JoinShared.
func share(t *testing.T, client *Client) (leave func(ctx context.Context) error) {
	t.Helper()
	leave, err := client.JoinShared(t.Context(), room2)
	require.NoError(t, err)
	return leave
}

func TestJoinShared_leavesRoomAfterLastUse(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		first, second := share(t, client), share(t, client)
		assert.Equal(t, joinOf2, <-l.out)
		require.NoError(t, first(t.Context()))
		require.NoError(t, first(t.Context()), "counts once")
		assert.Empty(t, l.out)
		assert.True(t, client.Joined(room2))
		require.NoError(t, second(t.Context()))
		assert.Equal(t, leaveOf2, <-l.out)
		assert.False(t, client.Joined(room2))
	})
}

func TestJoinShared_doesNotLeaveRoomOfJoin(t *testing.T) {
	for name, order := range map[string]func(t *testing.T, client *Client) (leave func(context.Context) error){
		"joined before": func(t *testing.T, client *Client) func(context.Context) error {
			require.NoError(t, client.Join(t.Context(), room2))
			return share(t, client)
		},
		"joined after": func(t *testing.T, client *Client) func(context.Context) error {
			leave := share(t, client)
			require.NoError(t, client.Join(t.Context(), room2))
			return leave
		},
	} {
		t.Run(name, func(t *testing.T) {
			onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
				leave := order(t, client)
				assert.Equal(t, joinOf2, <-l.out)
				require.NoError(t, leave(t.Context()))
				assert.Empty(t, l.out)
				require.NoError(t, client.Leave(t.Context(), room2))
				assert.Equal(t, leaveOf2, <-l.out)
			})
		})
	}
}

func TestJoinShared_endsWithLeave(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		leave := share(t, client)
		assert.Equal(t, joinOf2, <-l.out)
		require.NoError(t, client.Leave(t.Context(), room2))
		assert.Equal(t, leaveOf2, <-l.out)
		require.NoError(t, client.Join(t.Context(), room2))
		assert.Equal(t, joinOf2, <-l.out)
		require.NoError(t, leave(t.Context()))
		assert.Empty(t, l.out)
		assert.True(t, client.Joined(room2))
	})
}

// After the last use, a join that is in progress after a reconnect neither ends
// Run nor keeps the room.
func TestJoinShared_cancelsJoinAfterReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := make(wire)
		client := w.client(t, Config{JoinTimeout: time.Hour})
		_, stop := wiretest.Run(t, client)
		defer stop()
		l := w.accept("")
		<-l.out
		l.send(`430[]`)
		shared := make(chan func(context.Context) error, 1)
		go func() { shared <- share(t, client) }() // ends with the acknowledgement
		assert.Equal(t, `421["chat:join",{"chatId":"room-2"}]`, <-l.out)
		l.send(`431[]`)
		leave := <-shared

		l.cut()
		l = w.accept("")
		<-l.out
		l.send(`430[]`)
		assert.Equal(t, `421["chat:join",{"chatId":"room-2"}]`, <-l.out)
		left := make(chan error, 1)
		go func() { left <- leave(t.Context()) }() // ends when the leave is written
		assert.Equal(t, leaveOf2, <-l.out)
		require.NoError(t, <-left)
		require.NoError(t, client.Ready(t.Context()))
		assert.False(t, client.Joined(room2))
	})
}
