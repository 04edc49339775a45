package chat

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tokenFrame and finalFrame are a token and a final message on the wire.
func tokenFrame(request string, index int, text string) string {
	return fmt.Sprintf(`42["ai:token",{"requestId":%q,"index":%d,"token":%q},"offset"]`, request, index, text)
}

func finalFrame(request, text string) string {
	return fmt.Sprintf(`42["ai:message",{"requestId":%q,"messageId":"m","role":"assistant","text":%q,"createdAt":"2026-01-02T03:04:05Z"},"offset"]`, request, text)
}

// ask sends a question, and reads it from the wire.
func (l *link) ask(t *testing.T, client *Client, request string) *Stream {
	t.Helper()
	s, err := client.Ask(t.Context(), Question{UserID: user, RequestID: request})
	require.NoError(t, err)
	<-l.out
	return s
}

// recoverable is onWire with a server that can resume sessions.
func recoverable(t *testing.T, cfg Config, play func(t *testing.T, w wire, client *Client, l *link)) {
	synctest.Test(t, func(t *testing.T) {
		w := make(wire)
		client := w.client(t, cfg)
		_, stop := wiretest.Run(t, client)
		defer stop()
		l := w.accept("p1")
		<-l.out
		synctest.Wait()
		play(t, w, client, l)
	})
}

func TestStream_continuesAcrossRecovery(t *testing.T) {
	resume := func(context.Context, *Stream) error { return errors.New("there is nothing to ask for") }
	recoverable(t, Config{Stream: StreamConfig{OnGap: FailOnGap, Resume: resume}}, func(t *testing.T, w wire, client *Client, l *link) {
		s := l.ask(t, client, "r1")
		l.send(tokenFrame("r1", 0, "a"))
		synctest.Wait()
		l.cut()
		time.Sleep(DefaultOfflineTimeout - time.Second)
		l = <-w
		<-l.out
		l.send(tokenFrame("r1", 1, "b"), `40{"sid":"socket-1","pid":"p1"}`) // missed events first
		<-l.out                                                             // the join
		l.send(tokenFrame("r1", 2, "c"), finalFrame("r1", "abc and what the backend makes of it"))
		assert.Equal(t, "abc", read(s))
		_, err := s.Wait()
		require.NoError(t, err)
		assert.Equal(t, 3, s.Progress().Tokens, "nothing was bridged: nothing was lost")
	})
}

func TestResume_runsAfterReconnectWithoutRecovery(t *testing.T) {
	var client *Client
	resume := func(ctx context.Context, s *Stream) error {
		return client.Emit(ctx, "ai:resume", map[string]any{"requestId": s.RequestID(), "after": s.Progress().Tokens - 1})
	}
	onWire(t, Config{Stream: StreamConfig{OnGap: FailOnGap, Resume: resume}}, func(t *testing.T, w wire, c *Client, l *link) {
		client = c
		s := l.ask(t, client, "r1")
		l.send(tokenFrame("r1", 0, "a"), tokenFrame("r1", 1, "b"))
		synctest.Wait()
		l.cut()
		l = w.accept("")
		<-l.out
		assert.Equal(t, `42["ai:resume",{"chatId":"room-1","after":1,"requestId":"r1"}]`, <-l.out)
		l.send(tokenFrame("r1", 1, "b"), tokenFrame("r1", 2, "c"), finalFrame("r1", "abc"))
		assert.Equal(t, "abc", read(s))
		_, err := s.Wait()
		assert.NoError(t, err)
	})
}

func TestResume_endsStreamUnlessSessionIsLost(t *testing.T) {
	results := make(chan error)
	resume := func(ctx context.Context, s *Stream) error {
		select {
		case err := <-results:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	synctest.Test(t, func(t *testing.T) {
		results = make(chan error)
		w := make(wire)
		client := w.client(t, Config{Stream: StreamConfig{Resume: resume}})
		_, stop := wiretest.Run(t, client)
		defer stop()
		l := w.accept("")
		<-l.out
		s := l.ask(t, client, "r1")
		for range 2 {
			l.cut()
			l = w.accept("")
			<-l.out
			synctest.Wait()
			assert.False(t, s.Progress().Ended)
		}
		why := errors.New("the backend has forgotten")
		results <- why
		_, err := s.Wait()
		assert.ErrorIs(t, err, why)
		assert.EqualError(t, err, "chat: resume: the backend has forgotten")
	})
}

// A session was lost while Resume was requesting the missing tokens. The
// session that resumes it does not repeat the request, so Resume is called
// again.
func TestResume_repeatsUntilItCompletes(t *testing.T) {
	var client *Client
	resume := func(ctx context.Context, s *Stream) error {
		_, err := conn.Call[any](ctx, client.Conn(), "ai:resume", s.Progress().Tokens-1)
		return err
	}
	recoverable(t, Config{Stream: StreamConfig{OnGap: FailOnGap, Resume: resume}}, func(t *testing.T, w wire, c *Client, l *link) {
		client = c
		s := l.ask(t, client, "r1")
		l.send(tokenFrame("r1", 0, "a"))
		synctest.Wait()
		l.cut()
		l = w.accept("p2")
		<-l.out // the join
		assert.Equal(t, `420["ai:resume",0]`, <-l.out)
		l.send(tokenFrame("r1", 2, "c"))
		synctest.Wait()
		l.cut()
		for range 2 {
			l = w.accept("p2")
			<-l.out
			assert.Equal(t, `420["ai:resume",0]`, <-l.out)
			l.cut()
		}
		l = w.accept("p2")
		<-l.out
		<-l.out
		l.send(`430[true]`, tokenFrame("r1", 1, "b"))
		synctest.Wait()
		l.cut()
		l = w.accept("p2")
		assert.Equal(t, `42["chat:join",{"chatId":"room-1"}]`, <-l.out)
		l.send(finalFrame("r1", "abc"))
		assert.Equal(t, "abc", read(s))
		_, err := s.Wait()
		require.NoError(t, err)
		assert.Empty(t, l.out, "it was asked for")
	})
}

func TestResume_runsWhenSessionIsLostBeforeReady(t *testing.T) {
	asked := make(chan string, 1)
	resume := func(_ context.Context, s *Stream) error { asked <- s.RequestID(); return nil }
	synctest.Test(t, func(t *testing.T) {
		asked = make(chan string, 1)
		w := make(wire)
		client := w.client(t, Config{JoinTimeout: time.Minute, Stream: StreamConfig{Resume: resume}})
		_, stop := wiretest.Run(t, client)
		defer stop()
		l := w.accept("p1")
		<-l.out
		l.send(`430[]`)
		l.ask(t, client, "r1")
		l.cut()
		l = w.accept("p2")
		<-l.out // the join, which is not acknowledged
		l.send(`42["hello","offset"]`)
		synctest.Wait()
		l.cut()
		l = w.accept("p2") // recovers a session on which the backend sent nothing
		<-l.out
		l.send(`430[]`)
		assert.Equal(t, "r1", <-asked)
	})
}

// The final text replaces all lost tokens.
func TestFillGap_restoresTokensLostWithSession(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		s := l.ask(t, client, "r1")
		l.send(tokenFrame("r1", 0, "a"))
		synctest.Wait()
		l.cut()
		l = w.accept("")
		<-l.out
		l.send(tokenFrame("r1", 3, "d"), finalFrame("r1", "abcde"))
		message, err := s.Wait()
		require.NoError(t, err)
		assert.Equal(t, "abcde", message.Text)
		assert.Equal(t, "abcde", read(s))
	})
}

// After a question is written and before its stream begins, the session can be
// lost and the next one can begin.
func TestStream_detectsSessionLostBeforeWatch(t *testing.T) {
	asked := make(chan string, 1)
	onWire(t, Config{Stream: StreamConfig{Resume: func(_ context.Context, s *Stream) error { asked <- s.RequestID(); return nil }}},
		func(t *testing.T, w wire, client *Client, l *link) {
			s := newStream(t.Context(), &client.streams, Question{UserID: user, RequestID: "r1"})
			require.True(t, client.streams.add(s))
			require.NoError(t, client.ask(t.Context(), s.question, s))
			l.cut()
			l = w.accept("")
			synctest.Wait()
			assert.Empty(t, asked, "Ask has not returned")
			s.begin()
			assert.Equal(t, "r1", <-asked)

			s = newStream(t.Context(), &client.streams, Question{UserID: user, RequestID: "r2"})
			require.True(t, client.streams.add(s))
			require.NoError(t, client.ask(t.Context(), s.question, s))
			l.cut()
			synctest.Wait()
			start := time.Now()
			s.begin() // there is no session at this moment
			_, err := s.Wait()
			assert.ErrorIs(t, err, ErrOffline)
			assert.Equal(t, DefaultOfflineTimeout, time.Since(start))
		})
}

func TestAsk_causesNoAmbiguityWhileUnsent(t *testing.T) {
	recoverable(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		s := l.ask(t, client, "r1")
		l.send(tokenFrame("", 0, "a"))
		synctest.Wait()
		l.cut()
		l = <-w
		<-l.out
		second := make(chan *Stream, 1)
		go func() { // ends when the question is written
			s, err := client.Ask(t.Context(), Question{UserID: user, RequestID: "r2"})
			assert.NoError(t, err)
			second <- s
		}()
		synctest.Wait()
		l.send(tokenFrame("", 1, "b"), finalFrame("", "ab"), `40{"sid":"socket-1","pid":"p1"}`)
		assert.Equal(t, "ab", read(s))
		_, err := s.Wait()
		require.NoError(t, err)
		s = <-second
		l.send(tokenFrame("", 0, "c"), finalFrame("", "c"))
		assert.Equal(t, "c", read(s))
	})
}

func TestStream_failsWithErrAmbiguousAfterMaybeSentQuestion(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		for range cap(l.out) { // the socket is stuck
			l.out <- ""
		}
		ctx, cancel := context.WithCancel(t.Context())
		asked := make(chan error, 1)
		go func() { // ends with ctx
			_, err := client.Ask(ctx, Question{UserID: user, RequestID: "r1"})
			asked <- err
		}()
		synctest.Wait()
		cancel()
		var failed *conn.SendError
		require.ErrorAs(t, <-asked, &failed)
		require.True(t, failed.MaybeSent)
		for len(l.out) > 0 {
			<-l.out
			synctest.Wait()
		}
		s := l.ask(t, client, "r2")
		l.send(tokenFrame("", 0, "whose?"))
		_, err := s.Wait()
		assert.ErrorIs(t, err, ErrAmbiguous)
	})
}

func TestAbandoned_expiresAfterTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss, _ := newStreams(StreamConfig{})
		for n := range 100 {
			ss.ask(t, t.Context(), fmt.Sprint(n)).Abort("")
			time.Sleep(time.Second)
		}
		assert.LessOrEqual(t, ss.others, 6)
		time.Sleep(DefaultAbandonedTimeout)
		s := ss.ask(t, t.Context(), "last")
		ss.offerAll(token("", 0, "a"), final("", "a"))
		assert.Equal(t, "a", read(s))
		_, err := s.Wait()
		assert.NoError(t, err)
	})
}

// An answer whose final message has arrived, with a gap, leaves no abandoned
// question.
func TestAbandoned_excludesAnsweredQuestionWithGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss, s := open(t, StreamConfig{OnGap: FailOnGap})
		ss.offerAll(token("", 0, "a"))
		ss.offer(final("", "ab"), 2) // the session was lost before the token b
		_, err := s.Wait()
		assert.IsType(t, &GapError{}, err)
		assert.Zero(t, ss.others)
	})
}

func TestAsk_sendsAbortOnCancelOrTimeout(t *testing.T) {
	onWire(t, Config{Meta: map[string]any{"tenant": "acme"}}, func(t *testing.T, w wire, client *Client, l *link) {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := client.Ask(ctx, Question{UserID: user, RequestID: "r1", TraceID: "t1"})
		require.NoError(t, err)
		<-l.out
		cancel()
		_, err = s.Wait()
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, `42["ai:abort",{"tenant":"acme","chatId":"room-1","traceId":"t1","requestId":"r1"}]`, <-l.out)

		// Each timeout of the client also sends an abort.
		for limit, s := range map[error]*Stream{ErrStalled: l.ask(t, client, "r2")} {
			_, err = s.Wait()
			assert.ErrorIs(t, err, limit)
			assert.Equal(t, `42["ai:abort",{"tenant":"acme","chatId":"room-1","requestId":"r2"}]`, <-l.out)
		}
		s = l.ask(t, client, "r3")
		l.send(finalFrame("r3", ""))
		_, err = s.Wait()
		require.NoError(t, err)
		synctest.Wait()
		assert.Empty(t, l.out, "an answer that has come is not aborted")

		// Without a session no abort is sent, and Abort does not wait.
		s = l.ask(t, client, "r4")
		l.cut()
		start := time.Now()
		s.Abort("")
		assert.Zero(t, time.Since(start))
	})
}

func TestStream_endsOnAbortFromServer(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		one, other := l.ask(t, client, "r1"), l.ask(t, client, "r2")
		l.send(`42["ai:abort",{"reason":"of no request"}]`, `42["ai:abort",7]`, `42["ai:abort",{"requestId":"r1"}]`)
		_, err := one.Wait()
		assert.ErrorIs(t, err, ErrAborted)
		assert.False(t, other.Progress().Ended)
	})
}

func TestAnswer_returnsFinalMessageOrError(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		answered := make(chan string, 1)
		go func() { // ends with the answer
			message, err := client.Answer(t.Context(), Question{UserID: user, RequestID: "r1"})
			answered <- fmt.Sprint(message.Text, err)
		}()
		<-l.out
		l.send(tokenFrame("r1", 0, "a"), finalFrame("r1", "a"))
		assert.Equal(t, "a<nil>", <-answered)
		_, err := client.Answer(t.Context(), Question{})
		assert.ErrorIs(t, err, ErrNoUser)

		failed := make(chan error, 1)
		go func() { // ends with the failure
			_, err := client.Answer(t.Context(), Question{UserID: user, RequestID: "r2"})
			failed <- err
		}()
		<-l.out
		l.send(`42["ai:error",{"requestId":"r2","message":"broken"}]`)
		var failure *events.AIError
		assert.ErrorAs(t, <-failed, &failure)
	})
}
