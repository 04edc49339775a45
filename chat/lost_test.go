package chat

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLostTimeout_endsStreamWithErrQuestionLost(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		s := l.ask(t, client, "r1")
		time.Sleep(10 * time.Second)
		l.cut()
		time.Sleep(10 * time.Second)
		l = w.accept("")
		<-l.out // the join
		synctest.Wait()
		start := time.Now()
		_, err := s.Wait()
		assert.ErrorIs(t, err, ErrQuestionLost)
		assert.Equal(t, DefaultLostTimeout, time.Since(start))
		assert.Contains(t, <-l.out, `"ai:abort"`)
	})
}

// A question is not lost if the session was resumed, or if any event of the
// answer has arrived.
func TestLostTimeout_requiresLostSessionAndNoEvent(t *testing.T) {
	for name, tc := range map[string]struct {
		before, after string // events before and after the session was lost
		pid           string // of the next session
		want          error
	}{
		"a status before":     {`42["ai:processing",{"requestId":"r1","status":"queued"},"o"]`, "", "p2", ErrStalled},
		"a token before":      {tokenFrame("r1", 0, "a"), "", "p2", ErrStalled},
		"a status after":      {"", `42["ai:processing",{"requestId":"r1","status":"queued"},"o"]`, "p2", ErrStalled},
		"a resumed session":   {`42["hello","o"]`, "", "p1", ErrStalled},
		"nothing of it":       {`42["hello","o"]`, "", "p2", ErrQuestionLost},
		"an answer to others": {"", tokenFrame("r9", 0, "a"), "p2", ErrQuestionLost},
	} {
		t.Run(name, func(t *testing.T) {
			recoverable(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
				s := l.ask(t, client, "r1")
				if tc.before != "" {
					l.send(tc.before)
				}
				synctest.Wait()
				l.cut()
				l = w.accept(tc.pid)
				<-l.out
				if tc.after != "" {
					l.send(tc.after)
				}
				_, err := s.Wait()
				assert.ErrorIs(t, err, tc.want)
			})
		})
	}
}

func TestAskAgain_sendsSameQuestionAgain(t *testing.T) {
	onWire(t, Config{Stream: StreamConfig{OnLost: AskAgain}}, func(t *testing.T, w wire, client *Client, l *link) {
		q := Question{UserID: user, Text: "hi", TraceID: "t1"}
		s, err := client.Ask(t.Context(), q)
		require.NoError(t, err)
		first := <-l.out
		assert.Equal(t, q.Text, s.Question().Text)
		assert.NotEmpty(t, s.Question().MessageID)
		assert.Equal(t, s.RequestID(), s.Question().RequestID)
		assert.Equal(t, room1, s.Question().ChatID)
		for range 3 { // each time it is lost again
			l.cut()
			l = w.accept("")
			<-l.out
			start := time.Now()
			assert.Equal(t, first, <-l.out)
			assert.Equal(t, DefaultLostTimeout, time.Since(start))
		}
		time.Sleep(DefaultIdleTimeout - time.Second)
		assert.Empty(t, l.out, "it was asked on this session")
		l.send(tokenFrame(s.RequestID(), 0, "a"), finalFrame(s.RequestID(), "a"))
		message, err := s.Wait()
		require.NoError(t, err)
		assert.Equal(t, "a", message.Text)
	})
}

// While the question is asked again, all other limits apply.
func TestAskAgain_keepsOtherLimits(t *testing.T) {
	for name, want := range map[string]error{"no session": ErrOffline, "the end of ctx": context.Canceled, "Close": ErrStopped} {
		t.Run(name, func(t *testing.T) {
			onWire(t, Config{Stream: StreamConfig{OnLost: AskAgain}}, func(t *testing.T, w wire, client *Client, l *link) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				s, err := client.Ask(ctx, Question{UserID: user})
				require.NoError(t, err)
				<-l.out
				l.cut()
				l = w.accept("")
				<-l.out
				for range cap(l.out) { // the socket is stuck
					l.out <- ""
				}
				time.Sleep(DefaultLostTimeout + time.Second)
				switch want {
				case ErrOffline:
					l.cut()
				case ErrStopped:
					client.Close()
				default:
					cancel()
				}
				_, err = s.Wait()
				assert.ErrorIs(t, err, want)
			})
		})
	}
}

// A question without request id that was asked twice may be answered twice.
func TestAskAgain_expectsTwoAnswersWithoutRequestID(t *testing.T) {
	onWire(t, Config{Stream: StreamConfig{OnLost: AskAgain}}, func(t *testing.T, w wire, client *Client, l *link) {
		s := l.ask(t, client, "r1")
		l.cut()
		l = w.accept("")
		<-l.out
		<-l.out // the same question
		synctest.Wait()
		l.send(tokenFrame("", 0, "a"), finalFrame("", "a"))
		_, err := s.Wait()
		require.NoError(t, err)
		next := asking(t.Context(), client, "r2")
		l.send(tokenFrame("", 0, "again"))
		synctest.Wait()
		assert.Empty(t, l.out)
		l.send(finalFrame("", "again"))
		assert.Contains(t, <-l.out, "m-r2")
		(<-next).Abort("")
	})
}

// A write of Resume fails while the reader of the session has not yet noticed
// the loss.
func TestResume_repeatsAfterFailedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := make(chan uint64, 8)
		var f *fakeConn
		resume := func(context.Context, *Stream) error {
			epoch := f.State().Epoch
			calls <- epoch
			if epoch == 2 {
				return &conn.SendError{Event: "ai:resume", Err: conn.ErrSessionLost, MaybeSent: true}
			}
			return nil
		}
		ss, f2 := newStreams(StreamConfig{Resume: resume})
		f = f2
		s := ss.ask(t, t.Context(), "r1")
		for _, epoch := range []uint64{2, 3} {
			f.lose()
			f.connect(epoch)
			ss.connected(t.Context(), epoch) // its session has not ended
			synctest.Wait()
		}
		assert.Equal(t, uint64(2), <-calls)
		assert.Equal(t, uint64(3), <-calls)
		assert.False(t, s.Progress().Ended)
	})
}

func TestResume_endsStreamAfterPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss, f := newStreams(StreamConfig{Resume: func(context.Context, *Stream) error { panic("oh") }})
		s := ss.ask(t, t.Context(), "r1")
		f.lose()
		f.connect(2)
		ss.connected(t.Context(), 2)
		_, err := s.Wait()
		var panicked *bus.PanicError
		require.True(t, errors.As(err, &panicked))
		assert.Equal(t, "oh", panicked.Value)
	})
}

// A reader may conclude from the end of the tokens that the stream has left
// nothing behind.
func TestStream_closesTokensAfterAllEffectsOfItsEnd(t *testing.T) {
	for range 200 {
		ss, s := open(t, StreamConfig{})
		tokens := s.Tokens()
		go ss.offerAll(token("r1", 0, "a"), final("r1", "a")) // ends at once
		for range tokens {
		}
		again := newStream(t.Context(), ss, Question{RequestID: "r1", ChatID: room1})
		require.True(t, ss.add(again), "the request id is free")
		assert.EqualValues(t, 1, ss.answered.Load())
		again.finish(events.AIMessage{}, ErrStopped)
	}
}
