package chatotel

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"testing"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestErrorType_namesCause(t *testing.T) {
	for want, err := range map[string]error{
		"connection_lost": &conn.TransportError{Err: io.ErrUnexpectedEOF},
		"ping_timeout":    fmt.Errorf("session: %w", conn.ErrPingTimeout),
		"refused":         &conn.RefusedError{Message: "expired"},
		"dial":            &conn.DialError{Err: io.EOF},
		"join":            &chat.JoinError{Err: errors.New("no")},
		"panic":           &chat.JoinError{Err: &bus.PanicError{}},
		"stalled":         &conn.SendError{Err: chat.ErrStalled},
		"_OTHER":          io.EOF,
	} {
		assert.Equal(t, want, errorType(err), "%v", err)
	}
}

// Each exported error of conn and chat has a type. The exceptions are not
// reported to observers.
func TestErrorTypes_haveEachExportedError(t *testing.T) {
	source, err := os.ReadFile("errors.go")
	require.NoError(t, err)
	for _, pkg := range []string{"chat", "conn"} {
		listing, err := os.ReadFile("../../api/" + pkg + ".txt")
		require.NoError(t, err)
		names := regexp.MustCompile(`(?m)^(?:var (Err\w+) error|type (\w+Error) struct)$`).FindAllStringSubmatch(string(listing), -1)
		require.NotEmpty(t, names)
		for _, match := range names {
			name := match[1] + match[2]
			if name != "ErrRunning" && name != "ErrNoPayload" {
				assert.Regexp(t, `\(`+pkg+`\.`+name+`\)|\*`+pkg+`\.`+name+`\]`, string(source))
			}
		}
	}
}
