package chat

import (
	"testing"

	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestIndex_ordersTokensByScheme(t *testing.T) {
	for name, tc := range map[string]struct {
		scheme  IndexScheme
		indices []int // of the tokens a, b, c…
		want    string
	}{
		"from 0":                {IndexFromZero, []int{0, 2, 1}, "acb"},
		"from 1":                {IndexFromOne, []int{1, 3, 2}, "acb"},
		"restarting":            {IndexRestarts, []int{0, 1, 0, 1, 0}, "abcde"},
		"restarting from 1":     {IndexRestarts, []int{1, 2, 1, 2}, "abcd"},
		"restarting, reordered": {IndexRestarts, []int{0, 2, 1, 0}, "acbd"},
		"none":                  {IndexNone, []int{-1, -1, -1}, "abc"},
		"none, but constant":    {IndexNone, []int{7, 7, 3}, "abc"},
	} {
		t.Run(name, func(t *testing.T) {
			ss, s := open(t, StreamConfig{Index: tc.scheme})
			for i, index := range tc.indices {
				ss.offerAll(token("r1", index, string(rune('a'+i))))
			}
			ss.offerAll(final("r1", tc.want))
			assert.Equal(t, tc.want, read(s))
			_, err := s.Wait()
			require.NoError(t, err)
			position := 0
			for token := range s.Tokens() {
				assert.Equal(t, position, token.Index)
				position++
			}
		})
	}
}

func TestStream_failsWithErrIndexForOtherScheme(t *testing.T) {
	for name, tc := range map[string]struct {
		scheme IndexScheme
		tokens []events.Event
		want   string
	}{
		"no index":             {IndexFromZero, []events.Event{token("r1", -1, "a")}, "a token has no index"},
		"restarting":           {IndexFromZero, []events.Event{token("r1", 0, "a"), token("r1", 1, "b"), token("r1", 0, "c")}, "two tokens have the index 0"},
		"from 1":               {IndexFromZero, []events.Event{token("r1", 1, "a"), token("r1", 2, "b"), final("r1", "ab")}, "the first token has the index 1"},
		"from 0 and not 1":     {IndexFromOne, []events.Event{token("r1", 0, "a")}, "a token has the index 0"},
		"no index, restarting": {IndexRestarts, []events.Event{token("r1", -1, "a")}, "a token has no index"},
	} {
		t.Run(name, func(t *testing.T) {
			ss, s := open(t, StreamConfig{Index: tc.scheme})
			ss.offerAll(tc.tokens...)
			_, err := s.Wait()
			require.ErrorIs(t, err, ErrIndex)
			assert.ErrorContains(t, err, tc.want)
		})
	}
}
