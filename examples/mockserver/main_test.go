package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/mockserver"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain is the program itself in a process that asked for it.
func TestMain(m *testing.M) {
	if os.Getenv("MOCKSERVER") != "" {
		os.Args = []string{"mockserver", "-addr", "127.0.0.1:0", "-pace", "1ms"}
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

func TestMockserver_servesUntilSignal(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			program := exec.CommandContext(t.Context(), os.Args[0])
			program.Env = append(os.Environ(), "MOCKSERVER=1")
			var complaints strings.Builder
			program.Stderr = &complaints
			output, err := program.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, program.Start())
			lines := bufio.NewReader(output)
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			url, ok := strings.CutPrefix(line, "mockserver: chat backend on ")
			require.True(t, ok, line)

			assert.Contains(t, answer(t, strings.TrimSpace(url)), "You said: “Hello”.")
			require.NoError(t, program.Process.Signal(sig))
			rest, err := io.ReadAll(lines)
			require.NoError(t, err)
			assert.Regexp(t, `^mockserver: faults on http://127.0.0.1:\d+/faults\n$`, string(rest))
			assert.NoError(t, program.Wait())
			assert.Empty(t, complaints.String())
		})
	}
}

func TestMockserver_reportsInvalidAddress(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorContains(t, run(ctx, io.Discard, mockserver.Config{Addr: "127.0.0.1:-1"}), "invalid port")
}

// answer returns the backend's answer to Hello.
func answer(t *testing.T, url string) string {
	client, err := chat.New(url, chat.Config{ChatID: events.StringID("room-1")})
	require.NoError(t, err)
	defer client.Close()
	ended := make(chan error, 1)
	go func() { ended <- client.Run(t.Context()) }() // ends with client.Close
	message, err := client.Answer(t.Context(), chat.Question{UserID: events.StringID("u1"), Text: "Hello"})
	require.NoError(t, err)
	client.Close()
	<-ended
	return message.Text
}
