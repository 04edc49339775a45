package chat

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A fakeConn is the connection of streams without a client.
type fakeConn struct {
	mu     sync.Mutex
	state  conn.State
	ready  chan struct{} // closed while Ready
	aborts []events.Abort
	asks   []Question
}

func newFakeConn() *fakeConn {
	f := &fakeConn{ready: make(chan struct{})}
	f.connect(1)
	return f
}

// connect makes the connection Ready, in that epoch.
func (f *fakeConn) connect(epoch uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = conn.State{Phase: conn.Ready, Epoch: epoch, Since: time.Now()}
	close(f.ready)
}

// lose ends the session.
func (f *fakeConn) lose() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = conn.State{Phase: conn.Waiting, Epoch: f.state.Epoch, Since: time.Now()}
	f.ready = make(chan struct{})
}

func (f *fakeConn) State() conn.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

func (f *fakeConn) Ready(ctx context.Context) error {
	f.mu.Lock()
	ready := f.ready
	f.mu.Unlock()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fakeConn) ask(ctx context.Context, s *Stream) error {
	if err := f.Ready(ctx); err != nil {
		return err
	}
	s.sending(f.State().Epoch)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asks = append(f.asks, s.question)
	return nil
}

func (f *fakeConn) sendAbort(a events.Abort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.aborts = append(f.aborts, a)
}

func (f *fakeConn) cancelTools(events.Abort) {}

// newStreams returns streams without a client.
func newStreams(cfg StreamConfig) (*streams, *fakeConn) {
	cfg.setDefaults()
	f := newFakeConn()
	return &streams{cfg: cfg, conn: f, byRequest: map[string]*Stream{}}, f
}

// ask adds a stream whose question has been sent in the current epoch.
func (ss *streams) ask(t *testing.T, ctx context.Context, request string) *Stream {
	t.Helper()
	s := newStream(ctx, ss, Question{RequestID: request, ChatID: room1})
	require.True(t, ss.add(s))
	s.sending(max(1, ss.conn.State().Epoch))
	s.begin()
	t.Cleanup(func() { s.finish(events.AIMessage{}, ErrStopped) })
	return s
}

// inFlight returns streams for the request ids, whose questions have been sent.
func inFlight(t *testing.T, requests ...string) (ss *streams, all []*Stream) {
	t.Helper()
	ss, _ = newStreams(StreamConfig{})
	for _, id := range requests {
		all = append(all, ss.ask(t, t.Context(), id))
	}
	return ss, all
}

// open returns one stream with the given configuration.
func open(t *testing.T, cfg StreamConfig) (*streams, *Stream) {
	t.Helper()
	ss, _ := newStreams(cfg)
	return ss, ss.ask(t, t.Context(), "r1")
}

// token and final make events of an answer; "" for no request id.
func token(request string, index int, text string) events.Event {
	return events.AIToken{RequestID: request, Index: index, Token: text}
}

func final(request, text string) events.Event {
	return events.AIMessage{RequestID: request, MessageID: "m", Role: "assistant", Text: text}
}

// offerAll passes events of the current epoch to the streams.
func (ss *streams) offerAll(all ...events.Event) {
	for _, event := range all {
		ss.offer(event, ss.conn.State().Epoch)
	}
}

// read returns the tokens of a stream, joined, once it has ended.
func read(s *Stream) string {
	var text strings.Builder
	for token := range s.Tokens() {
		text.WriteString(token.Token)
	}
	return text.String()
}

func TestStream_yieldsOwnTokensOnceInOrder(t *testing.T) {
	ss, streams := inFlight(t, "r1", "r2")
	ss.offerAll(
		token("r1", 0, "a"), token("r2", 0, "x"), token("r1", 1, "b"),
		token("r1", 1, "b"), token("r1", 0, "a"), // again: dropped
		token("r3", 0, "?"), token("", 0, "?"), // of no stream
		token("r1", 2, "c"), final("r2", "x"), final("r1", "abc"),
		token("r1", 3, "late"),
	)
	assert.Equal(t, "abc", read(streams[0]))
	assert.Equal(t, "abc", read(streams[0]), "a reader may come late, and more than once")
	assert.Equal(t, "x", read(streams[1]))
	for range 2 {
		message, err := streams[0].Wait()
		require.NoError(t, err)
		assert.Equal(t, "abc", message.Text)
	}
	assert.False(t, ss.count.Load() > 0)
}

func TestStream_acceptsEventsWithoutRequestID(t *testing.T) {
	ss, streams := inFlight(t, "r1")
	elsewhere := events.AIToken{ChatID: events.StringID("room-2"), Token: "?"}
	here := events.AIToken{ChatID: events.StringID("room-1"), Index: 1, Token: "b"}
	ss.offerAll(token("", 0, "a"), elsewhere, here, final("", "ab"))
	assert.Equal(t, "ab", read(streams[0]))
}

func TestStream_failsWithErrAmbiguousForConcurrentQuestions(t *testing.T) {
	ss, streams := inFlight(t, "r1", "r2", "r3")
	ss.offerAll(token("r3", 0, "a"), events.AIProcessing{Status: events.StatusWorking}, token("", 0, "?"))
	for _, s := range streams[:2] {
		_, err := s.Wait()
		assert.ErrorIs(t, err, ErrAmbiguous)
		assert.Empty(t, read(s), "never a wrong token")
	}
	ss.offerAll(token("", 1, "?"), token("r3", 1, "b"), final("r3", "ab"))
	assert.Equal(t, "ab", read(streams[2]), "the backend has named this one: it is not meant")
}

func TestAsk_rejectsDuplicateRequestIDAndMissingUser(t *testing.T) {
	client, err := New("http://localhost", quick(Config{}))
	require.NoError(t, err)
	defer client.Close()
	client.streams.ask(t, t.Context(), "r1")
	_, err = client.Ask(t.Context(), Question{UserID: events.StringID("u1"), RequestID: "r1"})
	assert.ErrorIs(t, err, ErrDuplicateRequest)
	_, err = client.Ask(t.Context(), Question{RequestID: "r2"})
	assert.ErrorIs(t, err, ErrNoUser)
}

// A question is abandoned while another is being answered. The next events may
// be for either of them.
func TestStream_failsWithErrAmbiguousAfterAbandonedLaterQuestion(t *testing.T) {
	ss, streams := inFlight(t, "first", "later")
	ss.offerAll(events.AIProcessing{Status: events.StatusWorking}) // the question does not matter
	streams[1].Abort("")
	ss.offerAll(token("", 0, "whose?"))
	_, err := streams[0].Wait()
	assert.ErrorIs(t, err, ErrAmbiguous)
	assert.Empty(t, read(streams[0]), "never a wrong token")

	ss, streams = inFlight(t, "first")
	ss.offerAll(token("", 0, "a"))
	ss.ask(t, t.Context(), "later").Abort("")
	ss.offerAll(token("", 1, "whose?"))
	_, err = streams[0].Wait()
	assert.ErrorIs(t, err, ErrAmbiguous)
	assert.Equal(t, "a", read(streams[0]))
}
