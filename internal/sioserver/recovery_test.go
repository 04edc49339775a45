package sioserver_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/internal/sioserver"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type connected struct{ SID, PID string }

// connection opens a websocket with a CONNECT packet, and returns the reply.
func connection(r *rig, connect string) (wire, connected) {
	r.Helper()
	w := r.open()
	w.write(connect)
	reply := w.read()
	var c connected
	require.True(r, strings.HasPrefix(reply, "40"), reply)
	require.NoError(r, json.Unmarshal([]byte(reply[2:]), &c))
	return w, c
}

var recovering = sioserver.Config{Recovery: 2 * time.Minute}

func TestRecovery_restoresSession(t *testing.T) {
	inBubble(t, recovering, func(r *rig) {
		main := r.server.Namespace("/", sioserver.Handlers{Connect: func(s *sioserver.Socket) { s.Join("room-1") }})
		w, first := connection(r, "40")
		require.NotEmpty(r, first.PID)
		synctest.Wait()
		require.NoError(r, main.Emit([]string{"room-1"}, "n", 1))
		assert.Equal(r, `42["n",1,"0"]`, w.read())
		w.Close()
		synctest.Wait()
		assert.Empty(r, main.Sockets())
		require.NoError(r, main.Emit([]string{"room-1"}, "n", 2))
		require.NoError(r, main.Room("room-1")[0].Emit("n", []byte{3}))
		assert.ErrorIs(r, main.Room("room-1")[0].EmitVolatile("n", 4), sioserver.ErrGone)

		w, second := connection(r, fmt.Sprintf(`40{"pid":%q,"offset":"0","token":"x"}`, first.PID))
		assert.Equal(r, first, second)
		assert.Equal(r, `42["n",2,"1"]`, w.read())
		assert.Equal(r, `451-["n",{"_placeholder":true,"num":0},"2"]`, w.read())
		assert.Equal(r, "\x03", w.read())
		synctest.Wait()
		require.True(r, main.Sockets()[0].Recovered())
		require.NoError(r, main.Sockets()[0].EmitVolatile("n", 5))
		assert.Equal(r, `42["n",5]`, w.read())
	})
}

func TestRecovery_beginsNewSession(t *testing.T) {
	for name, lose := range map[string]func(r *rig, w wire, c *connected, offset *string){
		"offset that is not known": func(_ *rig, w wire, _ *connected, offset *string) { w.Close(); *offset = "17" },
		"pid that is not known":    func(_ *rig, w wire, c *connected, _ *string) { w.Close(); c.PID = "x" },
		"too late":                 func(_ *rig, w wire, _ *connected, _ *string) { w.Close(); time.Sleep(3 * time.Minute) },
		"DISCONNECT by the client": func(_ *rig, w wire, _ *connected, _ *string) { w.write("41"); w.Close() },
		"DISCONNECT by the server": func(r *rig, w wire, _ *connected, _ *string) {
			r.server.Namespace("/", suite).Sockets()[0].Disconnect()
			assert.Equal(r, "41", w.read())
		},
		"malformed packet": func(_ *rig, w wire, _ *connected, _ *string) { w.write("4abc"); w.closed() },
		"still connected":  func(*rig, wire, *connected, *string) {},
		"too many events": func(r *rig, w wire, _ *connected, _ *string) {
			socket := r.server.Namespace("/", suite).Sockets()[0]
			w.Close()
			synctest.Wait()
			for n := range 5000 {
				assert.NoError(r, socket.Emit("n", n))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, recovering, func(r *rig) {
				w, first := connection(r, "40")
				assert.Equal(r, `42["auth",{},"0"]`, w.read())
				ask, offset := first, "0"
				lose(r, w, &ask, &offset)
				synctest.Wait()
				w, second := connection(r, fmt.Sprintf(`40{"pid":%q,"offset":%q}`, ask.PID, offset))
				assert.NotEqual(r, first.SID, second.SID)
				assert.NotEqual(r, first.PID, second.PID)
				assert.Contains(r, w.read(), `42["auth"`, "a new session")
			})
		})
	}
}

func TestDisconnect_ignoresPacketsInFlight(t *testing.T) {
	r := serve(t, sioserver.Config{})
	r.server.Namespace("/", sioserver.Handlers{Event: func(e *sioserver.Event) { e.Socket.Disconnect() }})
	w, _ := connection(r, "40")
	w.write(`42["out"]`)
	assert.Equal(t, "41", w.read())
	w.write(`42["crossed"]`, "41", "40/custom,")
	assert.Contains(t, w.read(), "40/custom,{")
}

func TestCall_returnsReply(t *testing.T) {
	r := serve(t, sioserver.Config{})
	replies := make(chan sioserver.Reply, 1)
	errs := make(chan error, 2)
	r.server.Namespace("/", sioserver.Handlers{
		Connect: func(s *sioserver.Socket) {
			reply, err := s.Call(s.Context(), "add", 1, []byte{2})
			replies <- reply
			errs <- err
			_, err = s.Call(t.Context(), "never")
			errs <- err
		},
	})
	w, _ := connection(r, "40")
	assert.Equal(t, `451-0["add",1,{"_placeholder":true,"num":0}]`, w.read())
	assert.Equal(t, "\x02", w.read())
	w.write(`4399["nobody waits for this"]`, `461-0[3,{"_placeholder":true,"num":0}]`)
	require.NoError(t, w.WriteMessage(2, []byte{4}))
	reply := <-replies
	require.NoError(t, <-errs)
	var n int
	var b []byte
	require.NoError(t, reply.Decode(0, &n))
	require.NoError(t, reply.Decode(1, &b))
	assert.Equal(t, 3, n)
	assert.Equal(t, []byte{4}, b)
	assert.Equal(t, `421["never"]`, w.read())
	w.Close()
	assert.ErrorIs(t, <-errs, sioserver.ErrGone)
}

func TestEmit_refusesReservedNames(t *testing.T) {
	errs := make(chan error, 1)
	r := serve(t, sioserver.Config{})
	r.server.Namespace("/", sioserver.Handlers{Admit: func(s *sioserver.Socket) error {
		errs <- s.Emit("disconnect")
		return s.Emit("early", "before the answer")
	}})
	w := r.open()
	w.write("40")
	assert.Equal(t, `42["early","before the answer"]`, w.read())
	assert.Contains(t, w.read(), "40{")
	assert.ErrorContains(t, <-errs, "reserved")
}

func TestRooms_receiveEventsOnce(t *testing.T) {
	r := serve(t, sioserver.Config{})
	joined := make(chan []string, 2)
	main := r.server.Namespace("/", sioserver.Handlers{Connect: func(s *sioserver.Socket) {
		s.Join("a")
		s.Join("b")
		s.Join("b")
		s.Leave("a")
		s.Join("a")
		joined <- s.Rooms()
	}})
	w, _ := connection(r, "40")
	other, _ := connection(r, "40")
	assert.Equal(t, []string{"a", "b"}, <-joined)
	<-joined
	require.NoError(t, main.Emit([]string{"a", "b", "c"}, "n", 1))
	require.NoError(t, main.Emit(nil, "n", 2))
	for _, w := range []wire{w, other} {
		assert.Equal(t, `42["n",1]`, w.read())
		assert.Equal(t, `42["n",2]`, w.read())
	}
}
