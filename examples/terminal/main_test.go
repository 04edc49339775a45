package main

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"
)

// TestMain runs the program instead of the tests if TERMINAL is set.
func TestMain(m *testing.M) {
	if os.Getenv("TERMINAL") != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

func TestTerminal_reportsInvalidArguments(t *testing.T) {
	for _, tc := range []struct{ name, arguments, want string }{
		{"a pipe", "", "not a terminal"},
		{"an argument", "Hello", `"Hello" is not a flag`},
		{"-auth without JSON", "-auth {", "-auth is not JSON"},
		{"unknown flag", "-no-such-flag", "not defined"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := run(t.Context(), strings.Fields(tc.arguments), strings.NewReader(""), io.Discard, io.Discard)
			assert.ErrorContains(t, err, tc.want)
			var wrong *usageError
			assert.ErrorAs(t, err, &wrong)
		})
	}
}

// never starts an answer that does not end.
func never(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
	emit(events.AIToken{Token: "Well, "})
	<-ctx.Done()
}
