package chatnats

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

// prefixed has JetStream in one account, and another account that uses it
// through an API prefix.
const prefixed = `
accounts {
  hub {
    jetstream: enabled
    users: [{user: "hub", password: "secret"}]
    exports: [
      {service: "$JS.API.>", response_type: stream}
      {service: "$JS.ACK.>"}
      {service: "$KV.>"}
      {service: "parley.*.*", response_type: stream}
      {stream: "_INBOX.>"}
    ]
  }
  app {
    users: [{user: "app", password: "secret"}]
    imports: [
      {service: {account: hub, subject: "$JS.API.>"}, to: "hub.API.>"}
      {service: {account: hub, subject: "$JS.ACK.>"}}
      {service: {account: hub, subject: "$KV.>"}, to: "hub.API.$KV.>"}
      {service: {account: hub, subject: "parley.*.*"}}
      {stream: {account: hub, subject: "_INBOX.>"}}
    ]
  }
}
`

func TestOpenJetStream_worksThroughDomainAndPrefix(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config string
		user   string
		open   func(conn *nats.Conn) (jetstream.JetStream, error)
	}{
		"domain": {`jetstream {domain: "hub"}`, "", func(conn *nats.Conn) (jetstream.JetStream, error) {
			return jetstream.NewWithDomain(conn, "hub")
		}},
		"API prefix of another account": {prefixed, "app", func(conn *nats.Conn) (jetstream.JetStream, error) {
			return jetstream.NewWithAPIPrefix(conn, "hub.API")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "nats.conf")
			require.NoError(t, os.WriteFile(file, []byte(c.config), 0o600))
			options, err := server.ProcessConfigFile(file)
			require.NoError(t, err)
			options.Host, options.Port, options.NoSigs = "127.0.0.1", server.RANDOM_PORT, true
			options.JetStream, options.StoreDir = true, t.TempDir()
			s, err := startServer(options)
			require.NoError(t, err)
			t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
			open := func() *Bus {
				conn, err := nats.Connect(s.ClientURL(), nats.UserInfo(c.user, "secret"))
				require.NoError(t, err)
				t.Cleanup(conn.Close)
				js, err := c.open(conn)
				require.NoError(t, err)
				b, err := OpenJetStream(wiretest.Context(t), js, Config{})
				require.NoError(t, err)
				return b
			}
			useAll(t, open)
		})
	}
}

// useAll uses each part of the package through a Bus.
func useAll(t testing.TB, open func() *Bus) {
	b := open()
	w := newGroupRecorder(t, b, GroupConfig{Name: "answers", Sequence: 1, FromStart: true})
	w.worker("one")
	feed := subscribe(t, b, SubscribeConfig{})
	tokens := feed.Tokens.Chan(wiretest.Context(t))
	running(t, feed.Run)
	client := newHolder(t, newBackend(t, chattest.Echo(0)).URL)
	running(t, func(ctx context.Context) error {
		return RunWithLease(ctx, b, room, LeaseConfig{}, func(ctx context.Context) error {
			if _, err := Forward(ctx, b, client.Events, ForwardConfig{}); err != nil {
				return err
			}
			return Serve(ctx, b, client, room)
		})
	})
	answer, err := (&Remote{Bus: open(), ChatID: room}).Ask(wiretest.Context(t), ask)
	require.NoError(t, err)
	final, err := answer.Wait()
	require.NoError(t, err)
	require.Equal(t, "You said: "+ask.Text, final.Text)
	require.Equal(t, answer.RequestID(), wiretest.ReceiveFrom(t, tokens).RequestID)
	w.until(func(done []work) bool { return len(done) > 0 })
}
