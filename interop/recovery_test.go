package interop

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// counted returns the text of the server's answer to /tokens n.
func counted(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "t%d ", i)
	}
	return text.String()
}

// readWithTwoReconnects reads an answer to its end. The connection is lost
// twice meanwhile.
func readWithTwoReconnects(t *testing.T, client *chat.Client, n int) *chat.Stream {
	t.Helper()
	stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: fmt.Sprintf("/tokens %d 1", n)})
	require.NoError(t, err)
	next := 0
	for token := range stream.Tokens() {
		require.Equal(t, next, token.Index)
		require.Equal(t, fmt.Sprintf("t%d ", next), token.Token)
		if next++; next == n/10 || next == n/2 {
			require.NoError(t, client.Emit(wiretest.Context(t), "debug:close", nil))
		}
	}
	require.Equal(t, n, next, "no token replaces several others")
	message, err := stream.Wait()
	require.NoError(t, err)
	assert.Equal(t, counted(n), message.Text)
	return stream
}

func TestRecovery_continuesAnswerAfterLostConnection(t *testing.T) {
	client, _ := startClient(t, startBackend(t, "RECOVERY=1").URL(), chat.Config{Stream: chat.StreamConfig{
		OnGap: chat.FailOnGap,
		Resume: func(context.Context, *chat.Stream) error {
			return fmt.Errorf("Resume must not be called after a recovery")
		},
	}})
	require.NoError(t, client.Ready(wiretest.Context(t)))
	session := client.State().SessionID
	states := client.States.Chan(t.Context())
	readWithTwoReconnects(t, client, 400)
	recovered := 0
	for range 2 {
		wiretest.ReceivePhase(t, states, conn.Waiting)
		if state := wiretest.ReceivePhase(t, states, conn.Ready); state.Recovered {
			recovered++
			assert.Equal(t, session, state.SessionID)
		}
	}
	assert.Equal(t, 2, recovered)
	assert.Len(t, sockets(t, client), 1)
}

// resumeFrom returns a Resume that requests the missing tokens.
func resumeFrom(client **chat.Client) func(context.Context, *chat.Stream) error {
	return func(ctx context.Context, s *chat.Stream) error {
		return (*client).Emit(ctx, "ai:resume", map[string]any{"requestId": s.RequestID(), "after": s.Progress().Tokens - 1})
	}
}

func TestResume_requestsMissingTokensAfterReconnect(t *testing.T) {
	var client *chat.Client
	client, _ = startClient(t, startBackend(t).URL(), chat.Config{Stream: chat.StreamConfig{
		OnGap:  chat.FailOnGap,
		Resume: resumeFrom(&client),
	}})
	stream := readWithTwoReconnects(t, client, 400)
	resumed := of(received(t, client), "ai:resume")
	require.Len(t, resumed, 2)
	assert.Contains(t, resumed[0], stream.RequestID())
}

func TestResume_endsAnswerOnError(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{Stream: chat.StreamConfig{
		Resume: func(context.Context, *chat.Stream) error { return fmt.Errorf("this backend cannot") },
	}})
	stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: "/tokens 100000 1"})
	require.NoError(t, err)
	wiretest.ReceiveFrom(t, stream.Tokens())
	require.NoError(t, client.Emit(wiretest.Context(t), "debug:close", nil))
	_, err = stream.Wait()
	assert.ErrorContains(t, err, "this backend cannot")
}

func TestFillGap_takesMissingTextFromFinalMessage(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{Stream: chat.StreamConfig{GapTimeout: time.Millisecond}})
	const n = 300
	stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: fmt.Sprintf("/tokens %d 1", n)})
	require.NoError(t, err)
	wiretest.ReceiveFrom(t, stream.Tokens())
	require.NoError(t, client.Emit(wiretest.Context(t), "debug:close", nil))
	message, err := stream.Wait()
	require.NoError(t, err)
	assert.Equal(t, counted(n), message.Text)
	assert.Equal(t, counted(n), stream.Progress().Text)
}
