package chat

import (
	"bytes"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDiscovery_runsBeforeJoinAndAppliesNames(t *testing.T) {
	stage := newStage(t, func(p *peer, frame string) {
		if frame == `42["meta:events:request",{"chatId":"room-1","tenant":"acme"}]` {
			p.Send(`42["meta:events:response",{"JOIN":"room:enter","USER_MESSAGE":"say","AI_TOKEN":"llm:delta",` +
				`"NONSENSE":"x","AI_ERROR":7,"AI_MESSAGE":"","PRESENCE_UPDATE":"disconnect"}]`)
		}
	})
	var log bytes.Buffer
	client := stage.client(t, Config{
		Meta: map[string]any{"tenant": "acme"}, Discovery: Discovery{Enabled: true},
		Conn: conn.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))},
	})
	_, stop := wiretest.Run(t, client)
	defer stop()
	require.NoError(t, client.Ready(wiretest.Context(t)))
	assert.Equal(t, `42["meta:events:request",{"chatId":"room-1","tenant":"acme"}]`, stage.next(t))
	assert.Equal(t, `42["room:enter",{"chatId":"room-1","tenant":"acme"}]`, stage.next(t), "the join has its new name")

	names := wiretest.ReceiveFrom(t, client.Names.Chan(t.Context()))
	changed := map[events.Key]string{}
	for key, name := range names {
		if name != key.DefaultName() {
			changed[key] = name
		}
	}
	assert.Equal(t, map[events.Key]string{
		events.KeyJoin: "room:enter", events.KeyUserMessage: "say", events.KeyAIToken: "llm:delta",
	}, changed, "invalid names are ignored")
	require.NoError(t, client.SendMessage(wiretest.Context(t), events.UserMessage{MessageID: "m1", UserID: user}))
	assert.Equal(t, `42["say",{"chatId":"room-1","tenant":"acme","messageId":"m1","userId":"u1","text":""}]`, stage.next(t))

	tokens := client.Tokens.Chan(t.Context())
	wiretest.ReceiveFrom(t, stage.peers).Send(`42["llm:delta",{"token":"x","index":0}]`)
	assert.Equal(t, "x", wiretest.ReceiveFrom(t, tokens).Token)
	stop()
	assert.Contains(t, log.String(), "room:enter", "and it is in the log")
}

// The response and the next event may arrive in one read.
func TestDiscovery_appliesNamesToNextEvent(t *testing.T) {
	for range 50 {
		stage := newStage(t, func(p *peer, frame string) {
			if frame == `42["ask",{"chatId":"room-1"}]` {
				p.Send(`42["told",{"AI_TOKEN":"llm:delta"}]`, `42["llm:delta",{"token":"at once","index":0}]`)
			}
		})
		client := stage.client(t, Config{Discovery: Discovery{Enabled: true, RequestEvent: "ask", ResponseEvent: "told"}})
		tokens := client.Tokens.Chan(t.Context())
		_, stop := wiretest.Run(t, client)
		assert.Equal(t, "at once", wiretest.ReceiveFrom(t, tokens).Token)
		stop()
	}
}

func TestDiscovery_keepsKnownNamesOnTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := make(wire)
		client := w.client(t, Config{Discovery: Discovery{Enabled: true}})
		failures := client.DecodeErrors.Chan(t.Context())
		tokens := client.Tokens.Chan(t.Context())
		_, stop := wiretest.Run(t, client)
		defer stop()
		session := func(responses ...string) (l *link, took time.Duration) {
			l = w.accept("")
			start := time.Now()
			require.Equal(t, `42["meta:events:request",{"chatId":"room-1"}]`, <-l.out)
			l.send(responses...)
			<-l.out // the join
			synctest.Wait()
			return l, time.Since(start)
		}

		l, took := session(`42["meta:events:response",{"AI_TOKEN":"learnt"}]`)
		assert.Zero(t, took)
		l.cut()

		// A wrong shape is no response.
		l, took = session(`42["meta:events:response",["AI_TOKEN"]]`, `42["meta:events:response"]`)
		assert.Equal(t, DefaultDiscoveryTimeout, took)
		assert.Equal(t, "meta:events:response", (<-failures).Event)
		assert.Equal(t, "learnt", client.names.name(events.KeyAIToken), "what was learnt before stays")

		// A late response is ignored.
		l.send(`42["meta:events:response",{"AI_TOKEN":"late"}]`, `42["learnt",{"token":"x","index":0}]`)
		assert.Equal(t, "x", (<-tokens).Token)
		l.cut()

		// After a response of the wrong shape a correct one may arrive. Keys
		// that it does not contain have the names from before discovery.
		l, took = session(`42["meta:events:response",7]`, `42["meta:events:response",{"AI_MESSAGE":"learnt"}]`)
		assert.Zero(t, took)
		assert.Equal(t, "ai:token", client.names.name(events.KeyAIToken))
		assert.Equal(t, "learnt", client.names.name(events.KeyAIMessage))
		l.cut()

		// If the session ends, discovery stops waiting.
		l = w.accept("")
		start := time.Now()
		<-l.out
		l.cut()
		l = w.accept("")
		assert.Less(t, time.Since(start), DefaultDiscoveryTimeout)
		<-l.out
		time.Sleep(DefaultDiscoveryTimeout)
		assert.Equal(t, `42["chat:join",{"chatId":"room-1"}]`, <-l.out)
	})
}

func TestDiscovery_discardsNamesThatNameFuncRejects(t *testing.T) {
	stage := newStage(t, func(p *peer, frame string) { p.Send(`42["meta:events:response",{"AI_TOKEN":"learnt"}]`) })
	client, _ := stage.run(t, Config{
		Discovery: Discovery{Enabled: true},
		NameFunc: func(_ events.Key, name string) string {
			if name == "learnt" {
				return ""
			}
			return name
		},
	})
	require.NoError(t, client.Ready(wiretest.Context(t)))
	assert.Equal(t, "ai:token", client.names.name(events.KeyAIToken))
}
