package chat

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStream_abortsWithinSecondOrNotAtAll(t *testing.T) {
	for name, tc := range map[string]struct {
		before func(t *testing.T, client *Client, l *link)
		took   time.Duration
	}{
		"the server reads": {func(*testing.T, *Client, *link) {}, 0},
		"the server does not read": {func(t *testing.T, client *Client, l *link) {
			for len(l.out) < cap(l.out) {
				require.NoError(t, client.Emit(t.Context(), "x", nil))
			}
		}, time.Second},
		"there is no session": {func(_ *testing.T, _ *Client, l *link) { l.cut() }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
				stream, err := client.Ask(t.Context(), Question{UserID: user, Text: "Hello"})
				require.NoError(t, err)
				tc.before(t, client, l)
				start := time.Now()
				stream.Abort("enough")
				_, err = stream.Wait()
				assert.ErrorIs(t, err, ErrAborted)
				assert.Equal(t, tc.took, time.Since(start))
			})
		})
	}
}
