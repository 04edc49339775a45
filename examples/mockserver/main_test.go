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
	"github.com/seed67206a74/parley/internal/wiretest"
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
	assert.ErrorContains(t, run(ctx, io.Discard, config{Addr: "127.0.0.1:-1"}), "invalid port")
}

func TestMockserver_reportsInvalidSettings(t *testing.T) {
	_, err := start(config{Addr: "127.0.0.1:0", Faults: Faults{Drop: 2}})
	assert.ErrorContains(t, err, "drop is a share from 0 to 1, not 2")
	var n names
	assert.ErrorContains(t, n.Set("AI_TOKEN"), "AI_TOKEN has no name")
	assert.ErrorContains(t, n.Set("NO_KEY=x"), `there is no event with the key "NO_KEY"`)
	assert.ErrorContains(t, n.Set("AI_TOKEN=ai:message"), `AI_MESSAGE and AI_TOKEN are both named "ai:message"`)
	require.NoError(t, n.Set("AI_TOKEN=llm:delta,JOIN=enter"))
	assert.Equal(t, "AI_TOKEN=llm:delta,JOIN=enter", n.String())
}

// answer is what the backend answers to Hello.
func answer(t *testing.T, url string) string {
	client, _ := enter(t, url, "u1", chat.Config{})
	message, err := client.Answer(wiretest.Context(t), chat.Question{UserID: events.StringID("u1"), Text: "Hello"})
	require.NoError(t, err)
	return message.Text
}
