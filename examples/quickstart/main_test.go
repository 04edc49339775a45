package main

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/examples/internal/exampletest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestQuickstart_reportsMissingServer(t *testing.T) {
	exampletest.ReportsMissingServer(t, "connection refused", 1, "-url", exampletest.NoServer)
}

func TestQuickstart_printsStatusAnswerAndUsage(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, "", "room-1", "u1", "What is it?"))
	assert.Contains(t, out.String(), "u1: What is it?\n(queued)\n(working)\nA parley is")
	assert.Contains(t, out.String(), "tokens: 3 prompt + 30 completion = 33")
}

func TestQuickstart_reportsUnreachableServerInOneLine(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener.Close()
	err = run(t.Context(), &strings.Builder{}, "http://"+listener.Addr().String(), "room-1", "u1", "Hi")
	require.ErrorContains(t, err, "cannot connect")
	assert.NotContains(t, err.Error(), "\n")
	assert.ErrorContains(t, run(t.Context(), &strings.Builder{}, "nonsense", "room-1", "u1", "Hi"), "scheme")
}

func TestQuickstart_stopsWhenContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	lines := 0
	out := writerFunc(func(p []byte) {
		lines += strings.Count(string(p), "\n")
		if strings.Contains(string(p), "parley") {
			cancel() // during the answer
		}
	})
	assert.ErrorIs(t, run(ctx, out, "", "room-1", "u1", "Hi"), context.Canceled)
	assert.LessOrEqual(t, lines, 4, "the question, two statuses, a part of the answer")
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }
