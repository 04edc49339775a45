package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// These environment variables make the process a client of a server, in place
// of the tests.
const (
	childURL       = "PARLEY_INTEROP_URL"
	childTransport = "PARLEY_INTEROP_TRANSPORT"
)

// A childReport is a line of the client in its own process: one after the first
// token, and one after the answer.
type childReport struct {
	Text     string
	Error    string
	Sessions uint64
}

// childTokens is the number of tokens that the child asks for, 10 ms apart.
const childTokens = 400

// runChild asks one question, and reports the answer.
func runChild(url, transport string) childReport {
	client, err := chat.New(url, chat.Config{
		ChatID: room, Conn: conn.Config{Transports: []string{transport}, Reconnect: soon},
	})
	if err != nil {
		return childReport{Error: err.Error()}
	}
	defer client.Close()
	go client.Run(context.Background()) // ends with Close
	stream, err := client.Ask(context.Background(), chat.Question{UserID: user, Text: "/tokens 400 10"})
	if err != nil {
		return childReport{Error: err.Error()}
	}
	var text strings.Builder
	for token := range stream.Tokens() {
		if text.Len() == 0 {
			_ = json.NewEncoder(os.Stdout).Encode(childReport{Text: token.Token})
		}
		text.WriteString(token.Token)
	}
	report := childReport{Text: text.String(), Sessions: client.Stats().Conn.Sessions}
	if _, err := stream.Wait(); err != nil {
		report.Error = err.Error()
	}
	return report
}

// The process of a client is stopped for 3 s. Then its session continues, or
// the client notices the end of the session and reconnects. In both cases the
// answer is whole.
func TestStoppedClient_hasWholeAnswer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		env      []string
		sessions uint64
	}{
		"the session continues":       {nil, 1},
		"the server ends the session": {[]string{"PING_INTERVAL=1000", "PING_TIMEOUT=1000"}, 2},
	} {
		for _, transport := range []string{conn.WebSocket, conn.Polling} {
			t.Run(name+" by "+transport, func(t *testing.T) {
				t.Parallel()
				backend := startBackend(t, tc.env...)
				observer, _ := startClient(t, backend.URL(), chat.Config{})
				require.NoError(t, observer.Ready(wiretest.Context(t)))
				tokens := observer.Tokens.Chan(t.Context())

				child := exec.Command(os.Args[0])
				child.Env = append(os.Environ(), childURL+"="+backend.URL(), childTransport+"="+transport)
				child.Stderr = os.Stderr
				stdout, err := child.StdoutPipe()
				require.NoError(t, err)
				require.NoError(t, child.Start())
				defer func() {
					_ = child.Process.Kill() // it may have ended
					_ = child.Wait()
				}()
				reports := json.NewDecoder(stdout)
				var begun, ended childReport
				require.NoError(t, reports.Decode(&begun))
				assert.Empty(t, begun.Error)

				require.NoError(t, child.Process.Signal(syscall.SIGSTOP))
				index := wiretest.ReceiveFrom(t, tokens).Index
				for index < childTokens*3/4 { // 300 tokens take 3 s
					index = wiretest.ReceiveFrom(t, tokens).Index
				}
				require.NoError(t, child.Process.Signal(syscall.SIGCONT))

				require.NoError(t, reports.Decode(&ended))
				assert.Empty(t, ended.Error)
				assert.Equal(t, counted(childTokens), ended.Text)
				if tc.sessions == 1 {
					assert.EqualValues(t, 1, ended.Sessions)
				} else {
					assert.GreaterOrEqual(t, ended.Sessions, tc.sessions)
				}
			})
		}
	}
}

// freezeDuringAnswer asks for tokens, 5 ms apart. It stops the server's process
// after the first one, and returns when the client has noticed it.
func freezeDuringAnswer(t *testing.T, way []string, offline time.Duration, tokens int) (*backend, *chat.Client, *chat.Stream) {
	t.Helper()
	backend := startBackend(t, "PING_INTERVAL=500", "PING_TIMEOUT=1000")
	var client *chat.Client
	client, _ = startClient(t, backend.URL(), chat.Config{
		Stream: chat.StreamConfig{
			OfflineTimeout: offline,
			OnGap:          chat.FailOnGap,
			Resume:         resumeFrom(&client),
		},
		Conn: conn.Config{Transports: way, HandshakeTimeout: time.Second},
	})
	stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: fmt.Sprintf("/tokens %d 5", tokens)})
	require.NoError(t, err)
	wiretest.ReceiveFrom(t, stream.Tokens())
	states := client.States.Chan(t.Context())
	require.NoError(t, backend.Pause())
	assert.ErrorIs(t, wiretest.ReceivePhase(t, states, conn.Waiting).Err, conn.ErrPingTimeout)
	return backend, client, stream
}

// A server's process is stopped in the middle of an answer. The client notices
// the missing ping, and the stream ends with ErrOffline.
func TestFrozenServer_endsStream(t *testing.T) {
	t.Parallel()
	for name, way := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, stream := freezeDuringAnswer(t, way, time.Second, 100_000)
			_, err := stream.Wait()
			assert.ErrorIs(t, err, chat.ErrOffline)
		})
	}
}

// The stopped process continues, and so does the answer.
func TestFrozenServer_continuesAnswer(t *testing.T) {
	t.Parallel()
	for name, way := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend, client, stream := freezeDuringAnswer(t, way, 0, 1000)
			states := client.States.Chan(t.Context())
			// One attempt fails while the process is stopped.
			wiretest.ReceivePhase(t, states, conn.Connecting)
			assert.ErrorIs(t, wiretest.ReceivePhase(t, states, conn.Waiting).Err, context.DeadlineExceeded)
			require.NoError(t, backend.Continue())
			message, err := stream.Wait()
			require.NoError(t, err)
			assert.Equal(t, counted(1000), message.Text)
		})
	}
}
