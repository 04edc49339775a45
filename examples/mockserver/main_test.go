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
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
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

func TestItServesUntilItIsTerminated(t *testing.T) {
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

			assert.Equal(t, "You said: Hello", answer(t, strings.TrimSpace(url)))
			require.NoError(t, program.Process.Signal(sig))
			rest, err := io.ReadAll(lines)
			require.NoError(t, err)
			assert.Empty(t, rest, "one line is all it prints")
			assert.NoError(t, program.Wait())
			assert.Empty(t, complaints.String())
		})
	}
}

func TestAnAddressThatCannotBeUsedIsReported(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorContains(t, run(ctx, io.Discard, "127.0.0.1:-1", 0), "invalid port")
}

// answer is what the backend answers to Hello.
func answer(t *testing.T, url string) string {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := chat.New(url, chat.Config{ChatID: events.StringID("room-1")})
	require.NoError(t, err)
	running := make(chan error, 1)
	go func() { running <- client.Run(ctx) }() // ends with client.Close
	defer func() {
		require.NoError(t, client.Close())
		<-running
	}()

	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: "Hello"})
	require.NoError(t, err)
	message, err := stream.Wait()
	require.NoError(t, err)
	return message.Text
}
