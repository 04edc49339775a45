package chathttp

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStream_sendsCommentsInSilence(t *testing.T) {
	answer := func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
		time.Sleep(50 * time.Second)
		emit(events.AIMessage{MessageID: "m1", Text: "Late"})
	}
	withSite(t, answer, Config{}, func(t *testing.T, s *site) {
		started := time.Now()
		r := s.ask("room", "Hi")
		first, err := r.lines.ReadString('\n')
		require.NoError(t, err)
		assert.Equal(t, ":\n", first)
		assert.Zero(t, time.Since(started))
		comments := 0
		for {
			line, err := r.lines.ReadString('\n')
			if err != nil {
				break
			}
			if line == ":\n" {
				comments++
				assert.Equal(t, time.Duration(comments)*DefaultKeepAlive, time.Since(started))
			}
		}
		assert.Equal(t, 3, comments)
	})
}

// A lateAsker asks after a wait.
type lateAsker struct {
	*chat.Client
	wait time.Duration
}

func (a lateAsker) Ask(ctx context.Context, q chat.Question) (*chat.Stream, error) {
	select {
	case <-time.After(a.wait):
		return a.Client.Ask(ctx, q)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestStream_beginsBeforeQuestionIsAsked(t *testing.T) {
	for name, q := range streamed {
		t.Run(name, func(t *testing.T) {
			withSite(t, nil, Config{}, func(t *testing.T, s *site) {
				serveAsker(s, lateAsker{s.client, time.Hour}, Config{AskTimeout: 50 * time.Second})
				started := time.Now()
				r := s.status(200, s.send(q[0], q[1], q[2]))
				_, err := r.lines.ReadString('\n')
				require.NoError(t, err)
				assert.Zero(t, time.Since(started))
				comments := map[time.Duration]bool{}
				var all strings.Builder
				for line := ""; err == nil; line, err = r.lines.ReadString('\n') {
					comments[time.Since(started)] = true
					all.WriteString(line)
				}
				for n := range 4 {
					assert.True(t, comments[time.Duration(n)*DefaultKeepAlive], n)
				}
				assert.Contains(t, all.String(), `"timeout"`)
				assert.Equal(t, 50*time.Second, time.Since(started))
				assert.Empty(t, s.questions())
			})
		})
	}
}

func TestStream_countsWaitOfQuestionAsSilence(t *testing.T) {
	answer := func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
		time.Sleep(10 * time.Second)
		emit(events.AIMessage{MessageID: "m1", Text: "Late"})
	}
	withSite(t, answer, Config{}, func(t *testing.T, s *site) {
		serveAsker(s, lateAsker{s.client, 10 * time.Second}, Config{})
		all := s.ask("room", "Hi").body()
		assert.Equal(t, 2, strings.Count(all, ":\n\n"), "one at once, one when the question is asked")
		assert.Contains(t, all, "Late")
	})
}

func TestStream_outlivesTimeoutsOfServer(t *testing.T) {
	withSite(t, pauses, Config{}, func(t *testing.T, s *site) {
		s.http.Close()
		s.serve(routes(s.web), &http.Server{WriteTimeout: 300 * time.Millisecond, ReadTimeout: 300 * time.Millisecond})
		all := s.ask("room", "Count").frames()
		assert.Equal(t, "[DONE]", all[len(all)-1])
	})
}

func TestStream_disconnectsReaderThatDoesNotRead(t *testing.T) {
	withSite(t, pauses, Config{OnLeave: ContinueOnLeave}, func(t *testing.T, s *site) {
		stuck := s.ask("room", "Count") // the pipe has no buffer, so a write blocks
		reading := s.send("GET", "/chat/room/stream", "")
		all := reading.frames()
		assert.Equal(t, "[DONE]", all[len(all)-1])
		assert.Equal(t, 1, s.open())
		time.Sleep(DefaultWriteTimeout)
		assert.Zero(t, s.open())
		stuck.leave()
	})
}

func TestStream_leavesNoDeadlineForNextRequest(t *testing.T) {
	withSite(t, nil, Config{}, func(t *testing.T, s *site) {
		s.ask("room", "Hi").body()
		time.Sleep(2 * DefaultWriteTimeout)
		s.status(200, s.ask("room", "Hi")).until("DONE")
	})
}

func TestStream_refusesWriterWithoutFlush(t *testing.T) {
	var log bytes.Buffer
	cfg := Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	withSite(t, nil, cfg, func(t *testing.T, s *site) {
		s.http.Close()
		s.serve(http.TimeoutHandler(routes(s.web), time.Minute, ""), &http.Server{})
		s.status(500, s.ask("room", "Hi"))
		assert.Contains(t, log.String(), "chathttp: response writer cannot flush")
		assert.Empty(t, s.questions())
	})
}

func TestStream_logsErrorThatVisitorDoesNotSee(t *testing.T) {
	var log bytes.Buffer
	cfg := Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	withSite(t, answerWith(events.AIError{Code: "E1", Message: "the model has no memory"}), cfg, func(t *testing.T, s *site) {
		assert.NotContains(t, s.ask("room", "Hi").body(), "memory")
		synctest.Wait()
		assert.Contains(t, log.String(), "code=E1")
		assert.Contains(t, log.String(), "the model has no memory")
	})
}
