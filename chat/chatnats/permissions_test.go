package chatnats

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

// A guarded server has the users of the example, and TLS.
type guarded struct {
	t        testing.TB
	url, ca  string
	violated chan error
}

// exampleOptions returns the options of examples/fleet/nats.conf.
func exampleOptions(t *testing.T) (options *server.Options, cert string) {
	cert, key := wiretest.Certificate(t)
	for name, value := range map[string]string{
		"FLEET_LISTEN": "127.0.0.1:4222", "FLEET_STORE": t.TempDir(), "FLEET_CERT": cert, "FLEET_KEY": key, "FLEET_PASSWORD": "secret",
	} {
		t.Setenv(name, value)
	}
	options, err := server.ProcessConfigFile("../../examples/fleet/nats.conf")
	require.NoError(t, err)
	return options, cert
}

// newGuarded starts the server of examples/fleet/nats.conf.
func newGuarded(t *testing.T) *guarded {
	options, cert := exampleOptions(t)
	options.Port, options.NoSigs = server.RANDOM_PORT, true
	s, err := startServer(options)
	require.NoError(t, err)
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return &guarded{t, s.ClientURL(), cert, make(chan error, 100)}
}

func (g *guarded) connect(user string) *nats.Conn {
	conn, err := nats.Connect(g.url, nats.UserInfo(user, "secret"), nats.RootCAs(g.ca),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) {
				g.violated <- err
			}
		}))
	require.NoError(g.t, err)
	g.t.Cleanup(conn.Close)
	return conn
}

func (g *guarded) open(user string) *Bus {
	b, err := Open(wiretest.Context(g.t), g.connect(user), Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(g.t, err)
	return b
}

// TestRoles_haveTheirPermissions runs each role as its user of
// examples/fleet/nats.conf.
func TestRoles_haveTheirPermissions(t *testing.T) {
	g := newGuarded(t)
	operator := g.connect("operator")
	js, err := jetstream.New(operator)
	require.NoError(t, err)
	_, err = js.CreateStream(wiretest.Context(t), Config{}.StreamConfig())
	require.NoError(t, err)
	_, err = js.CreateKeyValue(wiretest.Context(t), Config{}.BucketConfig())
	require.NoError(t, err)

	feed := subscribe(t, g.open("reader"), SubscribeConfig{})
	read := feed.Tokens.Chan(wiretest.Context(t))
	running(t, feed.Run)
	durable := subscribe(t, g.open("worker"), SubscribeConfig{Durable: "reader"})
	also := durable.Tokens.Chan(wiretest.Context(t))
	running(t, durable.Run)
	worker := g.open("worker")
	letters, err := operator.SubscribeSync("parley.dead.>")
	require.NoError(t, err)
	running(t, func(ctx context.Context) error {
		cfg := GroupConfig{Name: "answers", Sequence: 1, FromStart: true}
		return Work(ctx, worker, cfg, func(context.Context, Delivery) error { return Term(errBroken) })
	})
	holder := g.open("holder")
	client := newHolder(t, newBackend(t, chattest.Echo(0)).URL)
	hold := func() (stop func()) {
		return running(t, func(ctx context.Context) error {
			return RunWithLease(ctx, holder, room, LeaseConfig{}, func(ctx context.Context) error {
				f, err := Forward(ctx, holder, client.Events, ForwardConfig{})
				if err != nil {
					return err
				}
				err = Serve(ctx, holder, client, room)
				return errors.Join(err, f.Wait())
			})
		})
	}
	stop := hold()
	remote := &Remote{Bus: g.open("asker"), ChatID: room}
	answer, err := remote.Ask(wiretest.Context(t), ask)
	require.NoError(t, err)
	_, err = answer.Wait()
	require.NoError(t, err)
	require.Equal(t, answer.RequestID(), wiretest.ReceiveFrom(t, read).RequestID)
	require.Equal(t, answer.RequestID(), wiretest.ReceiveFrom(t, also).RequestID)
	_, err = letters.NextMsgWithContext(wiretest.Context(t))
	require.NoError(t, err)
	stop()
	hold() // waits for no TTL: the lease was released
	require.NoError(t, remote.TypingStart(wiretest.Context(t), events.IntID(1)))
	require.Empty(t, g.violated)

	for user, subjects := range map[string][]string{
		"holder": {"$JS.API.STREAM.DELETE.parley", "$JS.API.STREAM.PURGE.parley", "$KV.parley.workers.answers.x", "parley.dead.answers.room.AI_TOKEN"},
		"reader": {"parley.room.AI_TOKEN", "parley.holder.room.1.room", "$KV.parley.leases.room", "$JS.ACK.parley.x", "$JS.API.STREAM.PURGE.parley"},
		"worker": {"parley.room.AI_TOKEN", "parley.holder.room.1.room", "$KV.parley.leases.room", "$JS.API.STREAM.PURGE.parley"},
		"asker":  {"parley.room.AI_TOKEN", "$KV.parley.leases.room", "$JS.API.CONSUMER.CREATE.parley.x", "$JS.API.DIRECT.GET.parley"},
	} {
		conn := g.connect(user)
		for _, subject := range subjects {
			require.NoError(t, conn.Publish(subject, nil))
			require.NoError(t, conn.Flush())
			err := wiretest.ReceiveFrom(t, g.violated)
			require.True(t, strings.Contains(err.Error(), `"`+subject+`"`), "%s: %v", user, err)
		}
	}
	_, err = nats.Connect(g.url, nats.UserInfo("holder", "secret"))
	require.ErrorContains(t, err, "certificate")
	_, err = nats.Connect(g.url, nats.UserInfo("holder", "wrong"), nats.RootCAs(g.ca))
	require.ErrorIs(t, err, nats.ErrAuthorization)
}
