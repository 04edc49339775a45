package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/installed"
	"github.com/seed67206a74/parley/internal/nodetest"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A scene is a server, a client behind a proxy, and an answer in progress.
type scene struct {
	*peer
	backend *nodetest.Backend
	states  <-chan conn.State
	stream  *chat.Stream
}

const tokens = 60

// startScene starts a server and a client, asks a question, and returns after
// the answer has begun. Answers are resumed unless cfg sets OfflineTimeout.
func startScene(t *testing.T, cfg chat.Config, env ...string) *scene {
	t.Helper()
	s := &scene{backend: startServer(t, env...)}
	proxy := startProxy(t, s.backend, nil)
	control := startControl(t, s.backend)
	if cfg.Stream.OfflineTimeout == 0 {
		cfg.Stream.Resume = func(ctx context.Context, stream *chat.Stream) error { return s.resume(ctx, stream) }
	}
	s.peer = startPeer(t, "room", proxy, control, cfg)
	s.states = s.client.States.Chan(t.Context())
	wiretest.ReceivePhase(t, s.states, conn.Ready)
	s.stream = s.begin(t, "r1")
	return s
}

// begin asks a question, and returns after its answer has begun.
func (s *scene) begin(t *testing.T, requestID string) *chat.Stream {
	t.Helper()
	stream, err := s.ask(wiretest.Context(t), chat.Question{
		UserID: user, Text: fmt.Sprint(tokens, " 10"), RequestID: requestID, MessageID: "question-" + requestID,
	})
	require.NoError(t, err)
	begun := stream.Tokens()
	for range 5 {
		wiretest.ReceiveFrom(t, begun)
	}
	return stream
}

// answered checks that a stream has each token of its answer once, in order.
func answered(t *testing.T, stream *chat.Stream) {
	t.Helper()
	message, err := stream.Wait()
	require.NoError(t, err)
	var want []string
	for i := range tokens {
		want = append(want, fmt.Sprintf("%s.%d ", stream.RequestID(), i))
	}
	var got []events.AIToken
	for token := range stream.Tokens() {
		got = append(got, token)
	}
	bridged, fault := compare(got, message, want)
	assert.Empty(t, fault)
	assert.False(t, bridged)
}

func TestServerDown_deliversAfterRestart(t *testing.T) {
	t.Parallel()
	s := startScene(t, chat.Config{Stream: chat.StreamConfig{OfflineTimeout: 300 * time.Millisecond}})
	s.backend.Kill()
	delivered := make(chan error, 1)
	ctx := wiretest.Context(t)
	go func() { // ends with ctx
		_, err := s.client.Deliver(ctx, events.UserMessage{MessageID: "m1", UserID: user, Text: "are you there?"})
		delivered <- err
	}()
	_, err := s.stream.Wait()
	assert.ErrorIs(t, err, chat.ErrOffline)
	for wiretest.ReceivePhase(t, s.states, conn.Waiting).Attempt < 4 {
	}
	assert.Empty(t, delivered)

	s.backend.Start()
	require.NoError(t, s.client.Ready(wiretest.Context(t)))
	require.NoError(t, wiretest.ReceiveFrom(t, delivered))
	record, err := readRecord(wiretest.Context(t), s.control, s.room)
	require.NoError(t, err)
	assert.Equal(t, []string{"m1"}, record.Processed)
	assert.Empty(t, s.peer.states.wrong())
}

func TestServerRestart_completesAnswer(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(b *nodetest.Backend){
		"killed":     func(b *nodetest.Backend) { b.Kill() },
		"terminated": terminate,
	} {
		t.Run(name, func(t *testing.T) {
			s := startScene(t, chat.Config{}, "RECOVERY=1")
			end(s.backend)
			assert.Error(t, wiretest.ReceivePhase(t, s.states, conn.Waiting).Err)
			s.backend.Start()
			assert.False(t, wiretest.ReceivePhase(t, s.states, conn.Ready).Recovered, "the new process has no session")
			answered(t, s.stream)
		})
	}
}

// terminate makes a server close its connections and end.
func terminate(b *nodetest.Backend) {
	_ = b.Process().Signal(syscall.SIGTERM) // fails only on a process that has ended
	_ = b.Wait()
}

func TestFileLimit_retriesUntilServerAccepts(t *testing.T) {
	t.Parallel()
	prlimit, err := exec.LookPath("prlimit")
	// prlimit limits the file descriptors of the server.
	installed.Need(t, err, "apt-get install util-linux")
	s := startScene(t, chat.Config{})
	pid := s.backend.Process().Pid
	limit := func(files int) {
		out, err := exec.Command(prlimit, fmt.Sprint("--pid=", pid), fmt.Sprintf("--nofile=%d:", files)).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	free := 0 // the lowest free descriptor; the limit applies to the numbers
	for ; ; free++ {
		if _, err := os.Lstat(fmt.Sprintf("/proc/%d/fd/%d", pid, free)); err != nil {
			break
		}
	}
	limit(free)

	late := startPeer(t, "late", startProxy(t, s.backend, nil), s.control, chat.Config{Conn: conn.Config{HandshakeTimeout: 300 * time.Millisecond}})
	states := late.client.States.Chan(t.Context())
	for attempt := 1; attempt <= 3; attempt++ {
		waiting := wiretest.ReceivePhase(t, states, conn.Waiting)
		var dial *conn.DialError
		assert.ErrorAs(t, waiting.Err, &dial)
		assert.Equal(t, attempt, waiting.Attempt)
	}
	limit(1000)
	wiretest.ReceivePhase(t, states, conn.Ready)
	answered(t, s.stream) // the earlier client is not affected
	_, waits := s.peer.states.count()
	assert.Zero(t, waits)
}

func TestDisconnect_endsClientUnlessRetryAllows(t *testing.T) {
	t.Parallel()
	disconnect := func(s *scene) {
		_, err := call[any](wiretest.Context(t), s.control, "chaos:disconnect", map[string]string{"chatId": s.room})
		require.NoError(t, err)
	}
	t.Run("ends the client", func(t *testing.T) {
		s := startScene(t, chat.Config{}, "RECOVERY=1")
		disconnect(s)
		assert.ErrorIs(t, wiretest.ReceiveFrom(t, s.ended), conn.ErrDisconnected)
		_, err := s.stream.Wait()
		assert.ErrorIs(t, err, chat.ErrStopped)
		assert.ErrorIs(t, err, conn.ErrDisconnected)
		assert.NotEmpty(t, s.stream.Progress().Text, "the received text remains")
	})
	t.Run("reconnects if Retry allows", func(t *testing.T) {
		s := startScene(t, chat.Config{Conn: conn.Config{
			Retry: func(err error) bool { return errors.Is(err, conn.ErrDisconnected) },
		}}, "RECOVERY=1")
		disconnect(s)
		assert.ErrorIs(t, wiretest.ReceivePhase(t, s.states, conn.Waiting).Err, conn.ErrDisconnected)
		assert.False(t, wiretest.ReceivePhase(t, s.states, conn.Ready).Recovered, "a session that was disconnected is not recovered")
		answered(t, s.stream)
	})
}

func TestSilentServer_timesOutAndReconnects(t *testing.T) {
	t.Parallel()
	silent := func(after int64) FaultPlan {
		return FaultPlan{Breaks: []Break{{After: after, Kind: Stall, Hold: time.Hour}}}
	}
	backend := startServer(t)
	proxy := startProxy(t, backend, func(n int) FaultPlan {
		switch n {
		case 0, 1: // the handshakes of the first two attempts
			return silent(1)
		case 2: // in the middle of the answer
			return silent(6000)
		}
		return FaultPlan{}
	})
	s := &scene{backend: backend}
	s.peer = startPeer(t, "room", proxy, startControl(t, backend), chat.Config{
		Stream: chat.StreamConfig{Resume: func(ctx context.Context, stream *chat.Stream) error { return s.resume(ctx, stream) }},
		Conn:   conn.Config{HandshakeTimeout: 2 * time.Second, Transports: []string{conn.WebSocket}},
	})
	s.states = s.client.States.Chan(t.Context())
	for range 2 {
		var dial *conn.DialError
		require.ErrorAs(t, wiretest.ReceivePhase(t, s.states, conn.Waiting).Err, &dial)
		assert.ErrorContains(t, dial, "within 2s")
	}
	stream := s.begin(t, "r1")
	assert.ErrorIs(t, wiretest.ReceivePhase(t, s.states, conn.Waiting).Err, conn.ErrPingTimeout)
	answered(t, stream)
}

func TestExpiredToken_retriesWhileRetryAllows(t *testing.T) {
	t.Parallel()
	tokensOf := func(list ...string) func(context.Context) (any, error) {
		return func(context.Context) (any, error) {
			token := list[0]
			if len(list) > 1 {
				list = list[1:]
			}
			return map[string]string{"token": token}, nil
		}
	}
	expire := func(s *scene) {
		_, err := call[any](wiretest.Context(t), s.control, "chaos:expire", map[string]string{"token": "two"})
		require.NoError(t, err)
	}
	t.Run("retries while Retry allows", func(t *testing.T) {
		s := startScene(t, chat.Config{Conn: conn.Config{
			Auth:  tokensOf("one", "one", "two"), // the new token is one attempt late
			Retry: func(error) bool { return true },
		}}, "TOKEN=one")
		expire(s)
		assert.ErrorIs(t, wiretest.ReceivePhase(t, s.states, conn.Waiting).Err, conn.ErrDisconnected)
		var refused *conn.RefusedError
		require.ErrorAs(t, wiretest.ReceivePhase(t, s.states, conn.Waiting).Err, &refused)
		assert.Equal(t, "token expired", refused.Message)
		assert.JSONEq(t, `{"code":"E_EXPIRED"}`, string(refused.Data))
		wiretest.ReceivePhase(t, s.states, conn.Ready)
		answered(t, s.stream)
	})
	t.Run("ends when refused and Retry declines", func(t *testing.T) {
		s := startScene(t, chat.Config{Conn: conn.Config{
			Auth:  tokensOf("one"),
			Retry: func(err error) bool { return errors.Is(err, conn.ErrDisconnected) },
		}}, "TOKEN=one")
		expire(s)
		var refused *conn.RefusedError
		assert.ErrorAs(t, wiretest.ReceiveFrom(t, s.ended), &refused)
		_, err := s.stream.Wait()
		assert.ErrorIs(t, err, chat.ErrStopped)
	})
}
