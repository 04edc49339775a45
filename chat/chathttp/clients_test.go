package chathttp

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clientOf returns a function that makes a client with the user's id as its
// auth.
func (s *site) clientOf(joinTimeout time.Duration) func(context.Context, Visitor) (*chat.Client, error) {
	return func(_ context.Context, v Visitor) (*chat.Client, error) {
		return chat.New(s.backend.URL, chat.Config{NoJoin: true, JoinTimeout: joinTimeout, Conn: conn.Config{
			HTTP: s.backend.Transport(), Logger: slog.New(slog.DiscardHandler),
			Auth: func(context.Context) (any, error) { return map[string]string{"userId": v.UserID.String()}, nil },
		}})
	}
}

// withClients runs a test with a client for each user.
func withClients(t *testing.T, answer chattest.Answer, cfg Config, test func(t *testing.T, s *site)) {
	t.Helper()
	withServer(t, answer, cfg, func(s *site, cfg Config) (*Server, error) { return NewPerVisitor(s.clientOf(0), cfg) }, test)
}

// connected returns the number of clients that are connected to the backend.
func (s *site) connected() int {
	synctest.Wait()
	return len(s.backend.Sockets())
}

func TestNewPerVisitor_asksWithClientOfUserUntilItIsIdle(t *testing.T) {
	withClients(t, pauses, Config{}, func(t *testing.T, s *site) {
		assert.Zero(t, s.connected())
		ada, bob := s.ask("a", "Count"), s.ask("a", "Count", "User", "bob")
		again := s.ask("b", "Count")
		assert.Equal(t, 2, s.connected())
		for _, r := range []*reply{ada, bob, again} {
			assert.Contains(t, r.frames(), "[DONE]")
		}
		assert.Len(t, s.visited("chat:join"), 3, "each client joins its own rooms")
		time.Sleep(DefaultClientIdle - time.Second)
		assert.Contains(t, s.ask("a", "Count").frames(), "[DONE]") // ten seconds
		assert.Equal(t, 1, s.connected(), "the client of bob is closed")
		time.Sleep(DefaultClientIdle + time.Second)
		assert.Zero(t, s.connected())
		assert.Contains(t, s.ask("a", "Count").frames(), "[DONE]")
		require.NoError(t, s.web.Close())
		assert.Zero(t, s.connected())
		s.status(503, s.ask("a", "Count"))
	})
}

func TestMaxClients_closesClientThatIsIdleForLongest(t *testing.T) {
	withClients(t, pauses, Config{MaxClients: 2}, func(t *testing.T, s *site) {
		s.ask("a", "Count").frames()
		s.ask("a", "Count", "User", "bob").frames()
		busy := s.ask("a", "Count", "User", "carl") // in place of ada
		assert.Equal(t, 2, s.connected())
		s.ask("a", "Count", "User", "bob")
		assert.Equal(t, 2, s.connected())
		assert.Contains(t, s.ask("a", "Count").until("data-error"), `"busy"`)
		busy.frames()
		assert.Contains(t, s.ask("a", "Count").frames(), "[DONE]")
		assert.Equal(t, 2, s.connected())
	})
}

func TestNewPerVisitor_makesOneClientForConcurrentQuestions(t *testing.T) {
	var mu sync.Mutex
	made := 0
	newServer := func(s *site, cfg Config) (*Server, error) {
		return NewPerVisitor(func(ctx context.Context, v Visitor) (*chat.Client, error) {
			mu.Lock()
			made++
			mu.Unlock()
			time.Sleep(time.Second)
			return s.clientOf(0)(ctx, v)
		}, cfg)
	}
	withServer(t, nil, Config{}, newServer, func(t *testing.T, s *site) {
		var all sync.WaitGroup
		for n := range 5 {
			all.Go(func() { assert.Contains(t, s.ask("room-"+itoa(n), "Hello").body(), "[DONE]") })
		}
		all.Wait()
		assert.Equal(t, 1, made)
	})
}

func TestNewPerVisitor_triesAgainAfterClientFailed(t *testing.T) {
	calls := 0
	newServer := func(s *site, cfg Config) (*Server, error) {
		return NewPerVisitor(func(ctx context.Context, v Visitor) (*chat.Client, error) {
			switch calls++; calls {
			case 1:
				return nil, errors.New("no token")
			case 2:
				panic("no client")
			case 3: // Run returns an error
				return chat.New(s.backend.URL+"/unknown", chat.Config{NoJoin: true, Conn: conn.Config{
					HTTP: s.backend.Transport(), Logger: slog.New(slog.DiscardHandler),
				}})
			}
			return s.clientOf(0)(ctx, v)
		}, cfg)
	}
	var log bytes.Buffer
	cfg := Config{MaxClients: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	withServer(t, nil, cfg, newServer, func(t *testing.T, s *site) {
		for _, code := range []string{"internal", "internal", "unavailable"} {
			assert.Contains(t, s.ask("a", "Hello").until("data-error"), `"code":"`+code+`"`)
		}
		synctest.Wait() // until its client is removed
		assert.Contains(t, log.String(), "chathttp: Ask panicked")
		assert.Contains(t, s.ask("a", "Hello").body(), "[DONE]")
		assert.Equal(t, 4, calls)
	})
}
