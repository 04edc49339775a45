package chat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A recorder is an observer with all methods. It writes each call as a line.
type recorder struct {
	mu    sync.Mutex
	lines []string
}

type recorderKey struct{}

func (r *recorder) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// take returns the lines since the last call.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.lines
	r.lines = nil
	return lines
}

func (r *recorder) OnNew(c *Client)                    { r.add("new %v", c.State().Phase) }
func (r *recorder) OnClose(c *Client)                  { r.add("close %v", errors.Is(c.Health(), conn.ErrClosed)) }
func (r *recorder) OnState(_ *conn.Conn, s conn.State) { r.add("%v", s.Phase) }

func (r *recorder) OnSlow(_ *conn.Conn, e bus.SlowEvent) { r.add("slow %s %v", e.Topic, e.CaughtUp) }

func (r *recorder) OnAsk(ctx context.Context, _ *Client, q *Question) context.Context {
	r.add("ask %s", q.RequestID)
	q.TraceID, q.Meta = "trace", map[string]any{"tenant": "acme"}
	return context.WithValue(ctx, recorderKey{}, q.RequestID)
}

func (r *recorder) OnFirstToken(ctx context.Context, _ *Client, q Question, wait time.Duration) {
	r.add("first token of %v %s after %v", ctx.Value(recorderKey{}), q.RequestID, wait)
}

func (r *recorder) OnToken(_ context.Context, _ *Client, t events.AIToken, wait time.Duration) {
	r.add("token %d after %v", t.Index, wait)
}

func (r *recorder) OnAnswerEnd(ctx context.Context, _ *Client, e AnswerEnd) {
	r.add("end of %v: %q %d tokens, first after %v, all after %v: %v",
		ctx.Value(recorderKey{}), e.Message.Text, e.Tokens, e.FirstToken, e.Duration, e.Err)
}

func (r *recorder) OnToolStart(ctx context.Context, _ *Client, call events.AIToolCall) context.Context {
	r.add("tool %s of %v", call.ToolName, ctx.Value(recorderKey{}))
	return context.WithValue(ctx, recorderKey{}, "tool")
}

func (r *recorder) OnToolEnd(ctx context.Context, _ *Client, _ events.AIToolCall, result any, err error) {
	r.add("end of %v: %v %v", ctx.Value(recorderKey{}), result, err)
}

func (r *recorder) OnDeliveryAttempt(_ context.Context, _ *Client, a DeliveryAttempt) {
	r.add("%+v", a)
}
func (r *recorder) OnDeliveryEnd(_ context.Context, _ *Client, e DeliveryEnd) { r.add("%+v", e) }

func TestObservers_areCalledForQuestions(t *testing.T) {
	r := new(recorder)
	onWire(t, Config{Observers: []any{r}}, func(t *testing.T, _ wire, client *Client, l *link) {
		r.take()
		HandleTool(client, "t", func(ctx context.Context, _ any) (string, error) {
			return fmt.Sprint("in ", ctx.Value(recorderKey{})), nil
		})
		s, err := client.Ask(t.Context(), Question{UserID: user, RequestID: "r1", MessageID: "m1", Text: "hi"})
		require.NoError(t, err)
		assert.Equal(t, `42["user:message",{"tenant":"acme","chatId":"room-1","traceId":"trace","requestId":"r1","messageId":"m1","userId":"u1","text":"hi"}]`, <-l.out)
		assert.Equal(t, "trace", s.Question().TraceID)
		time.Sleep(2 * time.Second)
		l.send(tokenFrame("r1", 0, "a"))
		synctest.Wait()
		time.Sleep(time.Second)
		l.send(tokenFrame("r1", 1, "b"), `42["ai:tool_call",{"requestId":"r1","callId":"c1","toolName":"t","args":{}}]`)
		<-l.out
		synctest.Wait()
		assert.Equal(t, []string{
			"ask r1", "first token of r1 r1 after 2s", "token 0 after 2s", "token 1 after 1s",
			"tool t of r1", "end of tool: in tool <nil>",
		}, r.take())
		l.send(finalFrame("r1", "ab"))
		_, err = s.Wait()
		require.NoError(t, err)
		assert.Equal(t, []string{`end of r1: "ab" 2 tokens, first after 2s, all after 3s: <nil>`}, r.take(), "before Wait returns")

		s = l.ask(t, client, "r2")
		_, err = client.Ask(t.Context(), Question{UserID: user, RequestID: "r2"})
		require.ErrorIs(t, err, ErrDuplicateRequest)
		go s.Abort("")
		<-l.out
		_, err = s.Wait()
		require.ErrorIs(t, err, ErrAborted)
		assert.Equal(t, []string{
			"ask r2", "ask r2", fmt.Sprintf(`end of r2: "" 0 tokens, first after 0s, all after 0s: %v`, ErrDuplicateRequest),
			fmt.Sprintf(`end of r2: "" 0 tokens, first after 0s, all after 0s: %v`, ErrAborted),
		}, r.take())
	})
	assert.Equal(t, []string{"stopped", "close true"}, r.take())
}

func TestObservers_areCalledForQuestionThatIsNotSent(t *testing.T) {
	r := new(recorder)
	client, err := New("http://localhost", Config{NoJoin: true, Observers: []any{r}})
	require.NoError(t, err)
	assert.Equal(t, []string{"new idle"}, r.take())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.Ask(ctx, Question{UserID: user, RequestID: "r1"})
	require.Error(t, err)
	lines := r.take()
	require.Len(t, lines, 2)
	assert.Equal(t, "ask r1", lines[0])
	assert.Contains(t, lines[1], "end of r1")
	assert.Contains(t, lines[1], context.Canceled.Error())
	require.NoError(t, client.Close())
	require.NoError(t, client.Close())
	assert.Equal(t, []string{"close true"}, r.take(), "once")
}

func TestObservers_areCalledForDelivery(t *testing.T) {
	r := new(recorder)
	onWire(t, Config{Observers: []any{r}}, func(t *testing.T, _ wire, client *Client, l *link) {
		r.take()
		done := delivering(t.Context(), client, "m1")
		assert.Equal(t, said(0, "m1"), <-l.out)
		assert.Equal(t, said(1, "m1"), <-l.out) // after AckTimeout
		l.send(`431["ok"]`)
		require.NoError(t, (<-done).err)
		assert.Equal(t, []string{
			"{Event:user:message MessageID:m1 Attempt:1}", "{Event:user:message MessageID:m1 Attempt:2}",
			"{Event:user:message MessageID:m1 Attempts:2 Duration:10s Err:<nil>}",
		}, r.take())
	})
}

// A subscription to a topic of chat or of conn is reported once per change.
func TestObservers_areCalledForSlowSubscription(t *testing.T) {
	r := new(recorder)
	onWire(t, Config{Observers: []any{r}}, func(t *testing.T, _ wire, client *Client, l *link) {
		r.take()
		client.Tokens.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.DropNewest))
		client.Events.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.DropNewest))
		On[any](client, "x").Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.DropNewest))
		for n := range 3 {
			l.send(tokenFrame("r1", n, "a"), `42["x"]`)
		}
		synctest.Wait()
		assert.ElementsMatch(t, []string{"slow AI_TOKEN false", "slow Events false", "slow x false"}, r.take())
	})
}

// panicking is an observer that panics in each method.
type panicking struct{}

func (panicking) OnNew(*Client)                                                   { panic("new") }
func (panicking) OnAsk(context.Context, *Client, *Question) context.Context       { panic("ask") }
func (panicking) OnToken(context.Context, *Client, events.AIToken, time.Duration) { panic("token") }
func (panicking) OnAnswerEnd(context.Context, *Client, AnswerEnd)                 { panic("end") }
func (panicking) OnState(*conn.Conn, conn.State)                                  { panic("state") }
func (panicking) OnFrameRead(*conn.Conn, int)                                     { panic("read") }
func (panicking) OnFrameWritten(*conn.Conn, int)                                  { panic("written") }
func (panicking) OnSessionBegin(*conn.Conn, *conn.Session)                        { panic("begin") }
func (panicking) OnSessionEnd(*conn.Conn, *conn.Session, error)                   { panic("session") }
func (panicking) OnToolStart(context.Context, *Client, events.AIToolCall) context.Context {
	panic("tool")
}

func TestObservers_areHarmlessIfTheyPanic(t *testing.T) {
	var out bytes.Buffer
	r := new(recorder)
	cfg := Config{Observers: []any{panicking{}, r}, Conn: conn.Config{Logger: slog.New(slog.NewTextHandler(&out, nil))}}
	onWire(t, cfg, func(t *testing.T, _ wire, client *Client, l *link) {
		HandleTool(client, "t", func(context.Context, any) (int, error) { return 1, nil })
		s := l.ask(t, client, "r1")
		l.send(`421["ai:tool_call",{"requestId":"r1","callId":"c1","toolName":"t","args":{}}]`)
		assert.Equal(t, `431[1]`, <-l.out)
		l.send(tokenFrame("r1", 0, "a"), finalFrame("r1", "a"))
		_, err := s.Wait()
		require.NoError(t, err)
	})
	for _, method := range []string{"new", "ask", "token", "end", "state", "read", "written", "begin", "session", "tool"} {
		assert.Contains(t, out.String(), `msg="observer has panicked" panic=`+method)
	}
	assert.Contains(t, r.take(), `tool t of r1`)
}

// Each method of an observer can call the client: no lock is held.
func TestObservers_canUseClient(t *testing.T) {
	onWire(t, Config{Observers: []any{&user1{}}}, func(t *testing.T, _ wire, client *Client, l *link) {
		s := l.ask(t, client, "r1")
		l.send(tokenFrame("r1", 0, "a"), finalFrame("r1", "a"))
		_, err := s.Wait()
		require.NoError(t, err)
	})
}

// user1 is an observer that uses the client.
type user1 struct{}

func (*user1) use(c *Client) {
	_, _ = c.Stats(), c.Health()
	_ = c.SetNames(map[events.Key]string{})
	c.aborted(events.Abort{RequestID: "other"})
	_ = c.streams.filter(func(s *Stream) bool { return s.Progress().Ended })
}

func (o *user1) OnNew(c *Client)                                                         { o.use(c) }
func (o *user1) OnClose(c *Client)                                                       { o.use(c) }
func (o *user1) OnToken(_ context.Context, c *Client, _ events.AIToken, _ time.Duration) { o.use(c) }
func (o *user1) OnAnswerEnd(_ context.Context, c *Client, _ AnswerEnd)                   { o.use(c) }
func (o *user1) OnAsk(ctx context.Context, c *Client, _ *Question) context.Context {
	o.use(c)
	return ctx
}

func TestNew_returnsErrorForValueThatObservesNothing(t *testing.T) {
	_, err := New("http://localhost", Config{NoJoin: true, Observers: []any{new(recorder), time.Second}})
	assert.EqualError(t, err, "chat: a value of Config.Observers has no method of an observer: a time.Duration")
}

func TestAsk_returnsErrorForMetaThatIsNotJSON(t *testing.T) {
	client, err := New("http://localhost", Config{NoJoin: true})
	require.NoError(t, err)
	defer client.Close()
	_, err = client.Ask(wiretest.Context(t), Question{UserID: user, Meta: map[string]any{"f": func() {}}})
	var failed *conn.SendError
	require.ErrorAs(t, err, &failed)
	assert.ErrorContains(t, err, `chat: Meta["f"]: `)
}
