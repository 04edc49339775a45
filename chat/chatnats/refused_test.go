package chatnats

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

// newUserServer starts a server whose user "holder" has the permissions, and
// whose user "admin" may do everything.
func newUserServer(t testing.TB, holder *server.Permissions) (holderURL, adminURL string) {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
		Users: []*server.User{
			{Username: "holder", Password: "p", Permissions: holder},
			{Username: "admin", Password: "p"},
		},
	})
	require.NoError(t, err)
	go s.Start() // ends with the test
	require.True(t, s.ReadyForConnections(startTimeout))
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	address := strings.TrimPrefix(s.ClientURL(), "nats://")
	return "nats://holder:p@" + address, "nats://admin:p@" + address
}

// refusals records the arguments of OnRefused.
type refusals struct {
	mu     sync.Mutex
	events []events.Event
	errs   []error
}

func (r *refusals) add(event events.Event, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events, r.errs = append(r.events, event), append(r.errs, err)
}

func TestForward_skipsRefusedEvents(t *testing.T) {
	t.Parallel()
	big := token("room", "big", 0)
	big.Token = strings.Repeat("x", 1_100_000)
	broken := events.AIToolResult{ChatID: room, RequestID: "broken", CallID: "c", Result: []byte("{")}
	large := token("room", "large", 0)
	large.Token = strings.Repeat("x", 20_000)
	for name, c := range map[string]struct {
		event events.Event
		is    func(error) bool
	}{
		"above max_payload": {big, func(err error) bool { return errors.Is(err, nats.ErrMaxPayload) }},
		"invalid JSON":      {broken, func(err error) bool { return strings.Contains(err.Error(), "marshal") }},
		"above the stream's limit": {large, func(err error) bool {
			var failed *jetstream.APIError
			return errors.As(err, &failed) && failed.ErrorCode == codeTooLarge
		}},
		"no permission": {token("secret", "r", 0), func(err error) bool { return errors.Is(err, nats.ErrPermissionViolation) }},
	} {
		for place, at := range map[string]int{"first": 0, "in the middle": 10, "last": 20} {
			t.Run(name+" "+place, func(t *testing.T) {
				holderURL, adminURL := newUserServer(t, &server.Permissions{
					Publish: &server.SubjectPermission{Deny: []string{"parley.secret.*"}},
				})
				admin := newBus(t, adminURL, Config{})
				cfg := admin.stream.CachedInfo().Config
				cfg.MaxMsgSize = 10_000
				_, err := admin.js.UpdateStream(wiretest.Context(t), cfg)
				require.NoError(t, err)
				b := newBus(t, holderURL, Config{})
				var topic bus.Topic[events.Event]
				var refused refusals
				f, err := Forward(wiretest.Context(t), b, topic.Source(), ForwardConfig{OnRefused: refused.add})
				require.NoError(t, err)
				for i := range 21 {
					if i == at {
						topic.Publish(c.event)
					}
					if i < 20 {
						topic.Publish(token("room", "r", i))
					}
				}
				topic.Close()
				require.NoError(t, f.Wait())
				all := stored(t, admin)
				require.Len(t, all, 20)
				for i, msg := range all {
					event, _, err := decode(msg.Subject, msg.Header, msg.Data)
					require.NoError(t, err)
					require.Equal(t, token("room", "r", i), event)
				}
				require.EqualValues(t, 20, f.Confirmed())
				require.EqualValues(t, 1, f.Refused())
				require.Equal(t, []events.Event{c.event}, refused.events)
				require.True(t, c.is(refused.errs[0]), refused.errs[0])
			})
		}
	}
}

func TestForward_skipsDeniedChatsAmongOthers(t *testing.T) {
	t.Parallel()
	holderURL, adminURL := newUserServer(t, &server.Permissions{
		Publish: &server.SubjectPermission{Deny: []string{"parley.secret-1.*", "parley.secret-2.*"}},
	})
	admin, b := newBus(t, adminURL, Config{}), newBus(t, holderURL, Config{})
	var topic bus.Topic[events.Event]
	f, err := Forward(wiretest.Context(t), b, topic.Source(), ForwardConfig{OnRefused: func(events.Event, error) { panic("of the user") }})
	require.NoError(t, err)
	chats := []string{"secret-1", "room", "secret-2"}
	for i := range 3000 {
		topic.Publish(token(chats[i%3], "r", i))
	}
	topic.Close()
	require.NoError(t, f.Wait())
	require.Len(t, stored(t, admin), 1000)
	require.EqualValues(t, 2000, f.Refused())
}

func TestForward_returnsBufferedEventsAsUnconfirmed(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	b := newBus(t, server.URL, Config{Logger: slog.New(slog.DiscardHandler)})
	server.Close()
	var topic bus.Topic[events.Event]
	ctx, cancel := context.WithCancelCause(wiretest.Context(t))
	f, err := Forward(ctx, b, topic.Source(), ForwardConfig{})
	require.NoError(t, err)
	for i := range 500 {
		topic.Publish(token("room", "r", i))
	}
	cancel(ErrLeaseLost)
	var failed *ForwardError
	require.ErrorAs(t, f.Wait(), &failed)
	require.Len(t, failed.Unconfirmed, 500)
	for i, event := range failed.Unconfirmed {
		require.Equal(t, token("room", "r", i), event)
	}
}
