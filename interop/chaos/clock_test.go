package chaos

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// sleeper is an environment variable with the URL of a server. If it is set,
// the process is a client of that server, and runs no tests.
const sleeper = "PARLEY_CHAOS_SLEEPER"

func TestMain(m *testing.M) {
	if url := os.Getenv(sleeper); url != "" {
		sleep(url)
		return
	}
	goleak.VerifyTestMain(m)
}

func TestClockJump_completesAnswer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		jump      time.Duration
		recovered bool
	}{
		"forward, over the end of its recovery window": {3 * time.Hour, false},
		"back": {-3 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := startScene(t, chat.Config{}, "RECOVERY=1")
			s.proxy.SetTarget("127.0.0.1:1") // no server listens there
			s.proxy.Reset()
			gone(t, s.control, s.room)
			_, err := call[any](wiretest.Context(t), s.control, "chaos:clock", map[string]int64{"ms": tc.jump.Milliseconds()})
			require.NoError(t, err)
			s.proxy.SetTarget(address(s.backend))
			assert.Equal(t, tc.recovered, wiretest.ReceivePhase(t, s.states, conn.Ready).Recovered)
			answered(t, s.stream)
			assert.Empty(t, s.wire.wrong())
		})
	}
}

// gone waits until the server has no client in a room.
func gone(t *testing.T, control *conn.Conn, room string) {
	t.Helper()
	for {
		n, err := call[int](wiretest.Context(t), control, "chaos:present", map[string]string{"chatId": room})
		require.NoError(t, err)
		if n == 0 {
			return
		}
	}
}

// A report is a message of the client in its own process. The first report is
// sent when the answer has begun, and the second one has the result.
type report struct {
	Text  string
	Error string
	Waits int // number of waits
}

func TestSuspend_completesAnswerAfterWakeUp(t *testing.T) {
	t.Parallel()
	for _, recovery := range []string{"RECOVERY=0", "RECOVERY=1"} {
		t.Run(recovery, func(t *testing.T) {
			backend := startServer(t, recovery)
			control := startControl(t, backend)
			client := exec.Command(os.Args[0])
			client.Env = append(os.Environ(), sleeper+"="+backend.URL())
			client.Stderr = os.Stderr
			stdout, err := client.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, client.Start())
			defer func() {
				_ = client.Process.Kill() // it may have ended
				_ = client.Wait()
			}()
			reports := json.NewDecoder(stdout)
			var begun, ended report
			require.NoError(t, reports.Decode(&begun))

			// The client's timers stop, and the server ends its session.
			require.NoError(t, client.Process.Signal(syscall.SIGSTOP))
			gone(t, control, "room")
			require.NoError(t, client.Process.Signal(syscall.SIGCONT))

			require.NoError(t, reports.Decode(&ended))
			assert.Empty(t, ended.Error)
			assert.Equal(t, 1, ended.Waits)
			record, err := readRecord(wiretest.Context(t), control, "room")
			require.NoError(t, err)
			assert.Equal(t, strings.Join(record.Answers["r1"].Tokens, ""), ended.Text)
		})
	}
}

// sleep runs the client of TestSuspend in its own process.
func sleep(url string) {
	say := func(r report) { _ = json.NewEncoder(os.Stdout).Encode(r) }
	p := &peer{room: "room"}
	var err error
	p.client, err = chat.New(url, chat.Config{
		ChatID: events.StringID(p.room),
		Stream: chat.StreamConfig{Resume: p.resume},
		Conn:   conn.Config{Reconnect: policy, Logger: quiet},
	})
	if err != nil {
		say(report{Error: err.Error()})
		return
	}
	defer p.client.Close()
	go p.client.Run(context.Background()) // ends with Close
	changes := p.client.States.Chan(context.Background())
	stream, err := p.ask(context.Background(), chat.Question{
		// The answer takes longer than the ping timeout of the server.
		UserID: user, Text: "60 40", RequestID: "r1", MessageID: "m1",
	})
	if err != nil {
		say(report{Error: err.Error()})
		return
	}
	<-stream.Tokens()
	say(report{})
	var end report
	for text, err := range stream.Text() {
		end.Text += text
		if err != nil {
			end.Error = err.Error()
		}
	}
	p.client.Close()
	for s := range changes {
		if s.Phase == conn.Waiting {
			end.Waits++
		}
	}
	say(end)
}
