package chat

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A room is left while it is joined again after a reconnect. No reply to that
// join has an effect, and no later session joins the room.
func TestLeave_cancelsJoinAfterReconnect(t *testing.T) {
	for name, reply := range map[string]string{
		"accepted": `430[]`,
		"refused":  `430[{"error":"banned"}]`,
		"no reply": `42["other"]`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := make(wire)
				client := w.client(t, Config{JoinTimeout: time.Minute})
				ended, stop := wiretest.Run(t, client)
				defer stop()
				l := w.accept("")
				assert.Equal(t, `420["chat:join",{"chatId":"room-1"}]`, <-l.out)
				l.send(`430[]`)
				require.NoError(t, client.Ready(t.Context()))

				l.cut()
				l = w.accept("")
				assert.Equal(t, `420["chat:join",{"chatId":"room-1"}]`, <-l.out)
				left := make(chan error, 1)
				go func() { left <- client.Leave(t.Context(), room1) }() // ends with the write
				synctest.Wait()
				l.send(reply)
				require.NoError(t, <-left)
				assert.Equal(t, `42["chat:leave",{"chatId":"room-1"}]`, <-l.out, "after the join")
				time.Sleep(2 * time.Minute) // longer than JoinTimeout
				assert.Equal(t, conn.Ready, client.State().Phase)
				assert.Empty(t, ended)
				assert.Empty(t, l.out)

				l.cut()
				l = w.accept("")
				require.NoError(t, client.Ready(t.Context()))
				assert.Empty(t, l.out, "the room is not joined again")
			})
		})
	}
}

// A room is left and joined again while a reconnect joins it.
func TestJoin_followsLeaveDuringReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := make(wire)
		client := w.client(t, Config{JoinTimeout: time.Minute})
		_, stop := wiretest.Run(t, client)
		defer stop()
		l := w.accept("")
		<-l.out
		require.NoError(t, client.Leave(t.Context(), room1))
		assert.Equal(t, `42["chat:leave",{"chatId":"room-1"}]`, <-l.out)
		joined := make(chan error, 1)
		go func() { joined <- client.Join(t.Context(), room1) }() // ends with the reply
		assert.Equal(t, `421["chat:join",{"chatId":"room-1"}]`, <-l.out)
		l.send(`430[{"error":"too late"}]`, `431[]`)
		require.NoError(t, <-joined)
		require.NoError(t, client.Ready(t.Context()))

		l.cut()
		l = w.accept("")
		assert.Equal(t, `420["chat:join",{"chatId":"room-1"}]`, <-l.out)
	})
}
