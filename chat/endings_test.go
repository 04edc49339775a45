package chat

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStream_failsWithAIError(t *testing.T) {
	client, streams, _ := asked(t, t.Context(), "r1")
	offerAll(client, token("r1", 0, "a"), events.AIError{RequestID: "r1", Code: "E", Message: "broken"})
	assert.Equal(t, "a", read(streams[0]))
	_, err := streams[0].Wait()
	var failure *events.AIError
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, "broken", failure.Message)
}

func TestIdleTimeout_endsStreamAfterLastEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, streams, _ := asked(t, t.Context(), "r1")
		start := time.Now()
		time.Sleep(50 * time.Second)
		offerAll(client, events.AIProcessing{RequestID: "r1", Status: events.StatusWorking})
		_, err := streams[0].Wait()
		assert.ErrorIs(t, err, ErrStalled)
		assert.Equal(t, 110*time.Second, time.Since(start), "a minute after the last event")
	})
}

func TestStream_endsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client, streams, _ := asked(t, ctx, "r1")
	offerAll(client, token("r1", 0, "a"))
	tokens := streams[0].Tokens()
	cancel()
	_, err := streams[0].Wait()
	assert.ErrorIs(t, err, context.Canceled)
	for range tokens { // closes
	}
}

func TestStream_failsWithErrStoppedWhenRunReturns(t *testing.T) {
	_, streams, endRun := asked(t, t.Context(), "r1")
	why := errors.New("why")
	endRun(why)
	_, err := streams[0].Wait()
	assert.ErrorIs(t, err, ErrStopped)
	assert.ErrorIs(t, err, why)

	ctx, cancel := context.WithCancel(t.Context())
	_, streams, endRun = asked(t, ctx, "r1")
	cancel()
	endRun(nil)
	_, err = streams[0].Wait()
	assert.ErrorIs(t, err, context.Canceled, "the reader's own reason comes first")
}

func TestAsk_keepsUnsentQuestionAcrossRuns(t *testing.T) {
	client, streams, _ := asked(t, t.Context(), "out")
	waiting := newStream(t.Context(), client, Question{RequestID: "waiting"})
	require.True(t, client.streams.add(waiting))
	client.streams.giveUp()
	_, err := streams[0].Wait()
	assert.ErrorIs(t, err, ErrStopped)
	offerAll(client, final("waiting", "answered in the next Run"))
	message, err := waiting.Wait()
	require.NoError(t, err)
	assert.Equal(t, "answered in the next Run", message.Text)
}

func TestStreamConfig_reportsDistinctErrorPerTimeout(t *testing.T) {
	for name, tc := range map[string]struct {
		limits StreamConfig
		want   error
		after  time.Duration
		play   func(c *Client, s *Stream)
	}{
		"no first token": {StreamConfig{FirstTokenTimeout: 10 * time.Second, IdleTimeout: 8 * time.Second}, ErrNoToken, 10 * time.Second, func(c *Client, s *Stream) {
			time.Sleep(5 * time.Second)
			c.streams.offer(events.AIProcessing{RequestID: "r1"})
		}},
		"idle": {StreamConfig{FirstTokenTimeout: 10 * time.Second, IdleTimeout: 8 * time.Second}, ErrStalled, 13 * time.Second, func(c *Client, s *Stream) {
			time.Sleep(5 * time.Second)
			c.streams.offer(token("r1", 0, "a"))
		}},
		"offline": {StreamConfig{OfflineTimeout: 20 * time.Second, IdleTimeout: 8 * time.Second}, ErrOffline, 25 * time.Second, func(c *Client, s *Stream) {
			ctx, lose := context.WithCancel(context.Background())
			c.streams.online(ctx, false)
			time.Sleep(5 * time.Second)
			lose()
		}},
		"offline, but not for long": {StreamConfig{OfflineTimeout: 20 * time.Second, IdleTimeout: 30 * time.Second}, ErrStalled, 45 * time.Second, func(c *Client, s *Stream) {
			ctx, lose := context.WithCancel(context.Background())
			c.streams.online(ctx, false)
			lose()
			time.Sleep(15 * time.Second)
			c.streams.online(context.Background(), true)
		}},
		"no limits": {StreamConfig{FirstTokenTimeout: -1, IdleTimeout: -1, OfflineTimeout: -1, GapTimeout: -1}, ErrAborted, time.Hour, func(c *Client, s *Stream) {
			c.streams.offer(token("r1", 1, "b"))
			ctx, lose := context.WithCancel(context.Background())
			c.streams.online(ctx, false)
			lose()
			time.Sleep(time.Hour)
			s.Abort("enough")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, s := open(t, tc.limits)
				start := time.Now()
				tc.play(client, s)
				_, err := s.Wait()
				assert.ErrorIs(t, err, tc.want)
				assert.Equal(t, tc.after, time.Since(start))
			})
		})
	}
}

func TestAbort_endsStreamsWithoutConnection(t *testing.T) {
	client, streams, _ := asked(t, t.Context(), "r1", "r2", "r3")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()                                             // there is no connection to wait for
	_ = client.Abort(ctx, events.Abort{RequestID: "r1"}) // one
	_, err := streams[0].Wait()
	assert.ErrorIs(t, err, ErrAborted)
	assert.False(t, streams[1].Progress().Ended)
	_ = client.Abort(ctx, events.Abort{ChatID: events.StringID("room-1")}) // all
	for _, s := range streams[1:] {
		_, err := s.Wait()
		assert.ErrorIs(t, err, ErrAborted)
	}
}
