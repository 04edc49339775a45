package chatnats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

// A reduced role is a user of examples/fleet/nats.conf without one of its
// permissions. It has an account of its own, with an operator.
type reduced struct {
	role, removed      string
	publish, subscribe []string
}

// TestRoles_needEachPermission removes each permission of each role, and
// requires that the server refuses something that the role does.
func TestRoles_needEachPermission(t *testing.T) {
	options, _ := exampleOptions(t)
	var all []reduced
	for _, user := range options.Users {
		if user.Permissions == nil {
			continue // the operator
		}
		publish, subscribe := user.Permissions.Publish.Allow, user.Permissions.Subscribe.Allow
		for i, removed := range publish {
			all = append(all, reduced{user.Username, "publish " + removed, slices.Delete(slices.Clone(publish), i, i+1), subscribe})
		}
		for i, removed := range subscribe {
			all = append(all, reduced{user.Username, "subscribe " + removed, publish, slices.Delete(slices.Clone(subscribe), i, i+1)})
		}
	}
	require.Greater(t, len(all), 30)
	url := newReducedServer(t, all)
	client := newHolder(t, newBackend(t, nil).URL)
	t.Run("each", func(t *testing.T) {
		for i, r := range all {
			t.Run(r.role+" "+r.removed, func(t *testing.T) {
				t.Parallel()
				play(t, url, i, r.role, client)
			})
		}
	})
}

// newReducedServer starts a server with an account for each reduced role.
func newReducedServer(t *testing.T, all []reduced) (url string) {
	type object = map[string]any
	accounts := object{}
	for i, r := range all {
		// An empty list would permit everything.
		permissions := object{"publish": append(r.publish, "nothing"), "subscribe": append(r.subscribe, "nothing")}
		accounts[fmt.Sprint("account-", i)] = object{"jetstream": "enabled", "users": []object{
			{"user": fmt.Sprint("operator-", i), "password": "secret"},
			{"user": fmt.Sprint("reduced-", i), "password": "secret", "permissions": permissions},
		}}
	}
	var config strings.Builder
	encoder := json.NewEncoder(&config)
	encoder.SetEscapeHTML(false) // ">" is a wildcard
	require.NoError(t, encoder.Encode(object{"jetstream": object{"store_dir": t.TempDir()}, "accounts": accounts}))
	file := filepath.Join(t.TempDir(), "nats.conf")
	require.NoError(t, os.WriteFile(file, []byte(config.String()), 0o600))
	options, err := server.ProcessConfigFile(file)
	require.NoError(t, err)
	options.Port, options.NoSigs = server.RANDOM_PORT, true
	s, err := startServer(options)
	require.NoError(t, err)
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s.ClientURL()
}

// play plays a role without a permission until the server refuses something.
func play(t *testing.T, url string, account int, role string, client *chat.Client) {
	cfg := Config{Partitions: 1, Storage: jetstream.MemoryStorage, Logger: slog.New(slog.DiscardHandler)}
	refused := make(chan error, 1)
	open := func(ctx context.Context, user string) (*Bus, error) {
		conn, err := nats.Connect(url, nats.UserInfo(fmt.Sprint(user, "-", account), "secret"),
			nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
				if errors.Is(err, nats.ErrPermissionViolation) {
					select {
					case refused <- err:
					default:
					}
				}
			}))
		require.NoError(t, err)
		t.Cleanup(conn.Close)
		return Open(ctx, conn, cfg)
	}
	operator, err := open(wiretest.Context(t), "operator")
	require.NoError(t, err)
	_, err = operator.bucket(wiretest.Context(t), true)
	require.NoError(t, err)
	running(t, func(ctx context.Context) error {
		s := &scene{t: t, ctx: ctx, operator: operator, client: client}
		defer s.running.Wait()
		b, err := open(ctx, "reduced")
		if err != nil {
			return err
		}
		map[string]func(b *Bus){"holder": s.holder, "reader": s.reader, "worker": s.worker, "asker": s.asker}[role](b)
		<-ctx.Done()
		return nil
	})
	select {
	case <-refused:
	case <-time.After(patience):
		t.Error("the role does not need the permission")
	}
}

// A scene has the methods that play a role over a Bus, until ctx ends.
type scene struct {
	t        *testing.T
	ctx      context.Context
	operator *Bus
	client   *chat.Client
	running  sync.WaitGroup
}

// hold holds a lease over a Bus until ctx ends.
func (s *scene) hold(ctx context.Context, b *Bus, lease string) {
	s.running.Go(func() { // ends with ctx
		_ = RunWithLease(ctx, b, events.StringID(lease), LeaseConfig{TTL: time.Second}, func(ctx context.Context) error {
			var topic bus.Topic[events.Event]
			f, err := Forward(ctx, b, topic.Source(), ForwardConfig{})
			if err != nil {
				return err
			}
			topic.Publish(token("room", "r", 0))
			err = Serve(ctx, b, s.client, room)
			return errors.Join(err, f.Wait())
		})
	})
}

func (s *scene) holder(b *Bus) {
	s.hold(s.ctx, s.operator, "other")
	s.hold(s.ctx, b, "room")
	bucket, err := s.operator.bucket(s.ctx, true)
	if err != nil {
		return
	}
	for s.ctx.Err() == nil {
		ctx, cancel := context.WithCancel(s.ctx)
		s.hold(ctx, b, "other") // waits, with a watcher
		_ = (&Remote{Bus: s.operator, ChatID: room}).TypingStart(s.ctx, events.IntID(1))
		for range 3 { // 1.5 MiB: the watcher uses flow control
			_, _ = bucket.Put(s.ctx, leaseKey("large"), make([]byte, 512<<10))
		}
		cancel() // ends the watcher
	}
}

func (s *scene) asker(b *Bus) {
	s.hold(s.ctx, s.operator, "room")
	_ = (&Remote{Bus: b, ChatID: room}).TypingStart(s.ctx, events.IntID(1))
}

func (s *scene) reader(b *Bus) {
	forwardAs(s.t, s.operator, holderOf(s.t, s.operator, 1), token("room", "r", 0))
	feed, err := Subscribe(s.ctx, b, SubscribeConfig{Sequence: 1})
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	read := feed.Tokens.Chan(ctx)
	s.running.Go(func() { _ = feed.Run(ctx) }) // ends with ctx
	<-read
}

func (s *scene) worker(b *Bus) {
	forwardAs(s.t, s.operator, holderOf(s.t, s.operator, 1), token("room", "r", 0))
	cfg := GroupConfig{Name: "answers", Sequence: 1}
	ctx, cancel := context.WithCancel(s.ctx)
	_ = Work(ctx, b, cfg, func(context.Context, Delivery) error {
		cancel() // the event is delivered again
		return errBroken
	})
	ctx, cancel = context.WithCancel(s.ctx)
	defer cancel()
	cfg.OnDead = func(DeadLetter) { cancel() }
	_ = Work(ctx, b, cfg, func(context.Context, Delivery) error { return Term(errBroken) })
}
