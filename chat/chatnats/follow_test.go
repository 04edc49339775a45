package chatnats

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/require"
)

func TestFollow_yieldsBatchesTicksAndError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Stream{done: make(chan struct{})}
		var sent []events.Event
		for n := range 300 {
			sent = append(sent, events.AIToken{Token: "x", Index: n})
		}
		require.NoError(t, s.add(sent))
		go func() { // ends after 12 s
			time.Sleep(12 * time.Second)
			s.err = chat.ErrStalled
			close(s.done)
		}()
		var got []events.Event
		var lengths []int
		var errs []error
		for batch, err := range s.Follow(t.Context(), 10*time.Second) {
			got = append(got, batch...)
			lengths = append(lengths, len(batch))
			errs = append(errs, err)
		}
		require.Equal(t, sent, got)
		require.Equal(t, []int{256, 44, 0, 0}, lengths)
		require.Equal(t, []error{nil, nil, nil, chat.ErrStalled}, errs)
	})
}

func TestFollow_endsWithItsContext(t *testing.T) {
	s := &Stream{done: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for batch, err := range s.Follow(ctx, 0) {
		require.Empty(t, batch)
		require.ErrorIs(t, err, context.Canceled)
	}
}
