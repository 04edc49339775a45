package chat

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
)

func TestTokenList_returnsTokensAsAppended(t *testing.T) {
	like := events.AIToken{ChatID: room1, TraceID: "t1", RequestID: "r1"}
	extra := like
	extra.Extra = map[string]json.RawMessage{"logprob": json.RawMessage("1")}
	other := like
	other.TraceID = "t2"
	done := like
	done.Done = true
	for name, first := range map[string]events.AIToken{"plain": like, "with extra": extra} {
		t.Run(name, func(t *testing.T) {
			var list tokenList
			var want []events.AIToken
			for i := range 3 * chunkTokens {
				token := []events.AIToken{first, like, other, like, done, extra}[i%6]
				token.Index, token.Token = i, fmt.Sprint("word ", i)
				list.append(&token)
				want = append(want, token)
			}
			var got []events.AIToken
			for i := range list.len {
				got = append(got, list.at(i))
			}
			assert.Equal(t, want, got)
		})
	}
}

// The race detector reports a write to a token that a reader may read.
func TestTokenList_isReadWhileItGrows(t *testing.T) {
	var list tokenList
	snapshots := make(chan tokenList, 1)
	go func() { // ends after the last append
		defer close(snapshots)
		for i := range 10 * chunkTokens {
			list.append(&events.AIToken{Token: fmt.Sprint(i), Index: i})
			snapshots <- list
		}
	}()
	for snapshot := range snapshots {
		last := snapshot.at(snapshot.len - 1)
		assert.Equal(t, fmt.Sprint(snapshot.len-1), last.Token)
	}
}
