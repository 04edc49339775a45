package conn_test

import (
	"fmt"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A recorder is an observer that sends each call as a line.
type recorder chan string

func (r recorder) OnState(c *conn.Conn, s conn.State) { r <- s.Phase.String() }
func (r recorder) OnSessionBegin(c *conn.Conn, s *conn.Session) {
	r <- fmt.Sprintf("begin %s", s.ID())
}
func (r recorder) OnSessionEnd(c *conn.Conn, s *conn.Session, cause error) {
	r <- fmt.Sprintf("end %s: %v", s.ID(), cause)
}

// frames is an observer of frames.
type frames struct{ read, written chan int }

func (f frames) OnFrameRead(_ *conn.Conn, size int)    { f.read <- size }
func (f frames) OnFrameWritten(_ *conn.Conn, size int) { f.written <- size }

func TestObservers_areCalledForSessions(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Send("41")
		p.UntilGone()
	})
	r := make(recorder, 100)
	c, err := conn.New(url, conn.Config{Observers: []any{r}})
	require.NoError(t, err)
	wiretest.Run(t, c)
	for _, want := range []string{"connecting", "connected", "begin socket-1"} {
		assert.Equal(t, want, wiretest.ReceiveFrom(t, r))
	}
	last := wiretest.ReceiveFrom(t, r)
	if last == "ready" { // unless the DISCONNECT is faster
		last = wiretest.ReceiveFrom(t, r)
	}
	assert.Equal(t, "end socket-1: "+conn.ErrDisconnected.Error(), last)
	assert.Equal(t, "stopped", wiretest.ReceiveFrom(t, r))
}

func TestObservers_areCalledForFrames(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Receive()
		p.Send(`42["hello"]`)
		p.Send(`451-["file",{"_placeholder":true,"num":0}]`)
		p.SendBinary(make([]byte, 10))
		p.UntilGone()
	})
	f := frames{make(chan int, 10), make(chan int, 10)}
	c, err := conn.New(url, conn.Config{Observers: []any{f}})
	require.NoError(t, err)
	wiretest.Run(t, c)
	require.NoError(t, c.Emit(t.Context(), "hi", []byte("12345")))
	assert.Equal(t, len(`51-["hi",{"_placeholder":true,"num":0}]`)+5, wiretest.ReceiveFrom(t, f.written))
	for _, want := range []int{len(`2["hello"]`), len(`51-["file",{"_placeholder":true,"num":0}]`), 10} {
		assert.Equal(t, want, wiretest.ReceiveFrom(t, f.read))
	}
	require.NoError(t, c.Close())
}

func TestNew_returnsErrorForValueThatObservesNothing(t *testing.T) {
	_, err := conn.New("http://localhost", conn.Config{Observers: []any{1}})
	assert.EqualError(t, err, "conn: a value of Config.Observers has no method of an observer: a int")
}
