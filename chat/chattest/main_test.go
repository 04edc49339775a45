package chattest_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = conn.Config{Logger: slog.New(slog.DiscardHandler)}

// start starts a backend that ends with the test.
func start(t *testing.T, cfg chattest.Config) *chattest.Server {
	t.Helper()
	server := chattest.NewServer(cfg)
	t.Cleanup(server.Close)
	return server
}

// client makes a connection that runs until the test ends or stop is called,
// and returns it with the events that it receives.
func client(t *testing.T, server *chattest.Server, cfg conn.Config) (c *conn.Conn, heard <-chan conn.Event, stop func()) {
	t.Helper()
	cfg.Logger = quiet.Logger
	if cfg.Reconnect.InitialInterval == 0 {
		cfg.Reconnect = reconnect.Policy{InitialInterval: time.Millisecond, MaxInterval: time.Millisecond}
	}
	c, err := conn.New(server.URL, cfg)
	require.NoError(t, err)
	heard = c.Raw.Subscribe(t.Context(), bus.Limit(1<<20)).C()
	_, stop = wiretest.Run(t, c)
	return c, heard, stop
}

// inRoom is the Config of a client that joins a chat as a user.
func inRoom(chatID events.ID, userID string) conn.Config {
	return conn.Config{
		Auth: func(context.Context) (any, error) { return map[string]string{"userId": userID}, nil },
		OnConnect: func(ctx context.Context, s *conn.Session) error {
			return s.Emit(ctx, "chat:join", map[string]any{"chatId": chatID})
		},
	}
}

// joined makes a client in a room, and returns once it has received its own
// presence.
func joined(t *testing.T, server *chattest.Server, chatID, userID string) (c *conn.Conn, heard <-chan conn.Event) {
	t.Helper()
	c, heard, _ = client(t, server, inRoom(events.StringID(chatID), userID))
	require.Equal(t, "presence:update", wiretest.ReceiveFrom(t, heard).Name)
	return c, heard
}

// question is a user message that asks for an answer under the given requestId.
func question(chatID, requestID string) events.UserMessage {
	return events.UserMessage{
		ChatID:    events.StringID(chatID),
		TraceID:   "trace-" + requestID,
		RequestID: requestID,
		MessageID: "m-" + requestID,
		UserID:    events.StringID("ada"),
		Text:      "How are you?",
	}
}

// ask sends a question and waits for its acknowledgement.
func ask(t *testing.T, c *conn.Conn, q events.UserMessage) {
	t.Helper()
	require.Equal(t, reply{OK: true}, call[reply](t, c, "user:message", q))
}

// reply is the acknowledgement of the backend.
type reply struct {
	OK    bool
	Error string
}

func call[R any](t *testing.T, c *conn.Conn, event string, args ...any) R {
	t.Helper()
	r, err := conn.Call[R](t.Context(), c, event, args...)
	require.NoError(t, err)
	return r
}

// until returns the first event with the given name, and the names of the
// events before it.
func until(t *testing.T, heard <-chan conn.Event, name string) (before []string, ev conn.Event) {
	t.Helper()
	for {
		if ev = wiretest.ReceiveFrom(t, heard); ev.Name == name {
			return before, ev
		}
		before = append(before, ev.Name)
	}
}

// as decodes an event of the backend.
func as[T events.Event](t *testing.T, ev conn.Event) T {
	t.Helper()
	var key events.Key
	for k := range events.Keys() {
		if k.DefaultName() == ev.Name {
			key = k
		}
	}
	require.NotEmpty(t, ev.Args)
	decoded, err := events.Decode(key, ev.Args[0])
	require.NoError(t, err)
	require.IsType(t, *new(T), decoded)
	return decoded.(T)
}
