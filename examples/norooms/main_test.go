package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/examples/internal/exampletest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestNorooms_reportsMissingServer(t *testing.T) {
	exampletest.ReportsMissingServer(t, "connection refused", 1, "-url", exampletest.NoServer)
}

func TestNoRooms_replacesExpiredToken(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, "", "abc-123"))
	assert.Equal(t, `fetched token-1
fetched token-2
It is about consultation abc-123 in the query and "abc-123" in the message.
`, out.String())
}

func TestNoRooms_joinsNoRoom(t *testing.T) {
	server := chattest.NewServer(chattest.Config{Answer: recall})
	defer server.Close()
	require.NoError(t, run(t.Context(), &strings.Builder{}, server.URL, "abc-123"))
	require.Len(t, server.Received(), 1)
	server.Expect(t, "user:message", map[string]any{"consultationId": "abc-123", "text": "What is this about?"})
}

func TestNoRooms_endsOnOtherRefusal(t *testing.T) {
	server := chattest.NewServer(chattest.Config{
		Auth: func(map[string]any) error { return errors.New("no such consultation") },
	})
	defer server.Close()
	err := run(t.Context(), &strings.Builder{}, server.URL, "abc-123")
	require.ErrorAs(t, err, new(*conn.RefusedError))
	assert.ErrorContains(t, err, "no such consultation")
}
