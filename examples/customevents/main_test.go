package main

import (
	"context"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/examples/internal/exampletest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestCustomevents_reportsMissingServer(t *testing.T) {
	exampletest.ReportsMissingServer(t, "connection refused", 1, "-url", exampletest.NoServer)
}

func TestCustomEvents_printsEventsAndAcknowledgements(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, ""))
	assert.Equal(t, `offered: [{Dr. Wu 9:00} {Dr. Gray 10:30}]
booked: number 4711
answer: Yes, the client has agreed.
raw: presence:update, arguments: 1
raw: consultation:slots, arguments: 1
raw: presence:update, arguments: 1
raw: chat:message, arguments: 1
raw: consultation:confirm, arguments: 1
raw: ai:message, arguments: 1
`, out.String())
}

func TestCustomEvents_failsOnInvalidAcknowledgement(t *testing.T) {
	server := chattest.NewServer(chattest.Config{Answer: confirm})
	defer server.Close()
	server.Handle("consultation:list", list)
	server.Handle("consultation:book", func(_ context.Context, r chattest.Received) (any, error) {
		assert.True(t, r.WantsAck)
		return "no receipt", nil
	})
	err := run(t.Context(), &strings.Builder{}, server.URL)
	require.ErrorAs(t, err, new(*conn.DecodeError), "the acknowledgement is not a Receipt")
}
