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
	ss, streams := inFlight(t, "r1")
	ss.offerAll(token("r1", 0, "a"), events.AIError{RequestID: "r1", Code: "E", Message: "broken"})
	assert.Equal(t, "a", read(streams[0]))
	_, err := streams[0].Wait()
	var failure *events.AIError
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, "broken", failure.Message)
}

func TestIdleTimeout_endsStreamAfterLastEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss, streams := inFlight(t, "r1")
		start := time.Now()
		time.Sleep(50 * time.Second)
		ss.offerAll(events.AIProcessing{RequestID: "r1", Status: events.StatusWorking})
		_, err := streams[0].Wait()
		assert.ErrorIs(t, err, ErrStalled)
		assert.Equal(t, 110*time.Second, time.Since(start), "a minute after the last event")
	})
}

func TestStream_endsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ss, _ := newStreams(StreamConfig{})
	s := ss.ask(t, ctx, "r1")
	ss.offerAll(token("r1", 0, "a"))
	tokens := s.Tokens()
	cancel()
	_, err := s.Wait()
	assert.ErrorIs(t, err, context.Canceled)
	for range tokens { // closes
	}
}

func TestStream_failsWithErrStoppedWhenRunReturns(t *testing.T) {
	ss, streams := inFlight(t, "r1")
	why := errors.New("why")
	ss.runEnded(why)
	_, err := streams[0].Wait()
	assert.ErrorIs(t, err, ErrStopped)
	assert.ErrorIs(t, err, why)

	ctx, cancel := context.WithCancel(t.Context())
	s := ss.ask(t, ctx, "r1")
	cancel()
	ss.runEnded(nil)
	_, err = s.Wait()
	assert.ErrorIs(t, err, context.Canceled, "the reader's own reason comes first")
}

// Run may return after the question was written and before Ask has returned.
func TestStream_failsWithErrStoppedWhenRunReturnsDuringAsk(t *testing.T) {
	ss, _ := newStreams(StreamConfig{})
	s := newStream(t.Context(), ss, Question{RequestID: "r1"})
	require.True(t, ss.add(s))
	s.sending(1)
	ss.runEnded(nil)
	assert.False(t, s.Progress().Ended, "Ask decides")
	s.begin()
	_, err := s.Wait()
	assert.ErrorIs(t, err, ErrStopped)
}

func TestAsk_keepsUnsentQuestionAcrossRuns(t *testing.T) {
	ss, streams := inFlight(t, "out")
	waiting := newStream(t.Context(), ss, Question{RequestID: "waiting"})
	require.True(t, ss.add(waiting))
	ss.giveUp(ErrStopped)
	_, err := streams[0].Wait()
	assert.ErrorIs(t, err, ErrStopped)
	ss.offerAll(final("waiting", "answered in the next Run"))
	message, err := waiting.Wait()
	require.NoError(t, err)
	assert.Equal(t, "answered in the next Run", message.Text)
}

func TestStreamConfig_reportsDistinctErrorPerTimeout(t *testing.T) {
	for name, tc := range map[string]struct {
		limits StreamConfig
		want   error
		after  time.Duration
		play   func(ss *streams, f *fakeConn, s *Stream)
	}{
		"no first token": {StreamConfig{FirstTokenTimeout: 10 * time.Second, IdleTimeout: 8 * time.Second}, ErrNoToken, 10 * time.Second, func(ss *streams, f *fakeConn, s *Stream) {
			time.Sleep(5 * time.Second)
			ss.offerAll(events.AIProcessing{RequestID: "r1"})
		}},
		"idle": {StreamConfig{FirstTokenTimeout: 10 * time.Second, IdleTimeout: 8 * time.Second}, ErrStalled, 13 * time.Second, func(ss *streams, f *fakeConn, s *Stream) {
			time.Sleep(5 * time.Second)
			ss.offerAll(token("r1", 0, "a"))
		}},
		"offline": {StreamConfig{OfflineTimeout: 20 * time.Second, IdleTimeout: 8 * time.Second}, ErrOffline, 25 * time.Second, func(ss *streams, f *fakeConn, s *Stream) {
			time.Sleep(5 * time.Second)
			f.lose()
		}},
		"offline, but not for long": {StreamConfig{OfflineTimeout: 20 * time.Second, IdleTimeout: 30 * time.Second}, ErrStalled, 45 * time.Second, func(ss *streams, f *fakeConn, s *Stream) {
			f.lose()
			time.Sleep(15 * time.Second)
			f.connect(1)
		}},
		"no limits": {StreamConfig{FirstTokenTimeout: -1, IdleTimeout: -1, OfflineTimeout: -1, GapTimeout: -1}, ErrAborted, time.Hour, func(ss *streams, f *fakeConn, s *Stream) {
			ss.offerAll(token("r1", 1, "b"))
			f.lose()
			time.Sleep(time.Hour)
			s.Abort("enough")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ss, f := newStreams(tc.limits)
				s := ss.ask(t, t.Context(), "r1")
				start := time.Now()
				tc.play(ss, f, s)
				_, err := s.Wait()
				assert.ErrorIs(t, err, tc.want)
				assert.Equal(t, tc.after, time.Since(start))
			})
		})
	}
}

func TestAbort_endsStreamsWithoutConnection(t *testing.T) {
	client, err := New("http://localhost", quick(Config{}))
	require.NoError(t, err)
	defer client.Close()
	var streams []*Stream
	for _, id := range []string{"r1", "r2", "r3"} {
		streams = append(streams, client.streams.ask(t, t.Context(), id))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()                                             // there is no connection to wait for
	_ = client.Abort(ctx, events.Abort{RequestID: "r1"}) // one
	_, err = streams[0].Wait()
	assert.ErrorIs(t, err, ErrAborted)
	assert.False(t, streams[1].Progress().Ended)
	_ = client.Abort(ctx, events.Abort{ChatID: events.StringID("room-1")}) // all
	for _, s := range streams[1:] {
		_, err := s.Wait()
		assert.ErrorIs(t, err, ErrAborted)
	}
}
