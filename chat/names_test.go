package chat

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNames_followPrecedence(t *testing.T) {
	set := make(chan struct{})
	stage := newStage(t, func(p *peer, frame string) {
		if frame == `42["meta:events:request",{}]` {
			<-set // otherwise AI_MESSAGE has the name of AI_TOKEN
			p.Send(`42["meta:events:response",{"AI_TOKEN":"learnt","AI_MESSAGE":"learnt","AI_ERROR":"learnt","CHAT_READ":"learnt"}]`)
		}
	})
	client, _ := stage.run(t, Config{
		NoJoin:    true,
		Names:     map[events.Key]string{events.KeyPresenceUpdate: "by config", events.KeyAIToken: "not learnt"},
		Discovery: Discovery{Enabled: true, Timeout: time.Minute},
		NameFunc: func(key events.Key, name string) string {
			if key == events.KeyAIError || key == events.KeyAIProcessing {
				return "func over " + name
			}
			return name
		},
	})
	require.NoError(t, client.SetNames(map[events.Key]string{events.KeyAIMessage: "set"}))
	close(set)
	require.NoError(t, client.Ready(wiretest.Context(t)))
	require.NoError(t, client.SetNames(map[events.Key]string{events.KeyChatRead: "set"}))
	for key, want := range map[events.Key]string{
		events.KeyUserMessage:    "user:message",
		events.KeyPresenceUpdate: "by config",
		events.KeyAIToken:        "learnt",
		events.KeyAIMessage:      "set", // before discovery
		events.KeyChatRead:       "set", // after it
		events.KeyAIError:        "func over learnt",
		events.KeyAIProcessing:   "func over ai:processing",
	} {
		assert.Equal(t, want, client.names.name(key), key)
	}

	assert.Error(t, client.SetNames(map[events.Key]string{events.KeyAIToken: "half", events.KeyPresenceUpdate: ""}))
	assert.Error(t, client.SetNames(map[events.Key]string{events.KeyAIToken: "half", "NONSENSE": "x"}))
	assert.Error(t, client.SetNames(map[events.Key]string{events.KeyAIToken: "disconnect"}))
	assert.ErrorContains(t, client.SetNames(map[events.Key]string{events.KeyAIToken: "set"}), `AI_TOKEN and AI_MESSAGE have the same name "set"`)
	assert.Equal(t, "learnt", client.names.name(events.KeyAIToken), "a wrong change changes nothing")
}

func TestNames_areUniqueInEachDirection(t *testing.T) {
	for name, tc := range map[string]struct{ a, b events.Key }{
		"two sent events":                 {events.KeyUserMessage, events.KeyChatRead},
		"two received events":             {events.KeyChatMessage, events.KeyAIMessage},
		"sent, and sent and received":     {events.KeyUserMessage, events.KeyAIAbort},
		"received, and sent and received": {events.KeyChatMessage, events.KeyAIToolResult},
	} {
		t.Run(name, func(t *testing.T) {
			names := map[events.Key]string{tc.a: "message", tc.b: "message"}
			_, err := New("http://localhost", Config{NoJoin: true, Names: names})
			assert.ErrorContains(t, err, `have the same name "message"`)
			client, err := New("http://localhost", Config{NoJoin: true})
			require.NoError(t, err)
			defer client.Close()
			assert.ErrorContains(t, client.SetNames(names), `have the same name "message"`)
		})
	}
}

func TestNames_canBeSharedBySentAndReceivedEvent(t *testing.T) {
	stage := newStage(t, nil)
	client, _ := stage.run(t, Config{Names: map[events.Key]string{
		events.KeyUserMessage: "message", events.KeyChatMessage: "message",
	}})
	messages := client.ChatMessages.Chan(t.Context())
	p := wiretest.ReceiveFrom(t, stage.peers)
	require.Equal(t, `42["chat:join",{"chatId":"room-1"}]`, stage.next(t))
	require.NoError(t, client.SendMessage(wiretest.Context(t), events.UserMessage{MessageID: "m1", UserID: user, Text: "hi"}))
	assert.Equal(t, `42["message",{"chatId":"room-1","messageId":"m1","userId":"u1","text":"hi"}]`, stage.next(t))
	p.Send(`42["message",{"messageId":"m2","userId":"u2","text":"hello"}]`)
	assert.Equal(t, "hello", wiretest.ReceiveFrom(t, messages).Text)
}

func TestSetNames_appliesToIncomingAndOutgoingEvents(t *testing.T) {
	stage := newStage(t, nil)
	client, _ := stage.run(t, Config{})
	tokens := client.Tokens.Chan(t.Context())
	p := wiretest.ReceiveFrom(t, stage.peers)
	require.Equal(t, `42["chat:join",{"chatId":"room-1"}]`, stage.next(t))

	require.NoError(t, client.SetNames(map[events.Key]string{events.KeyAIToken: "llm:delta", events.KeyUserMessage: "say"}))
	p.Send(`42["ai:token",{"token":"old name","index":0}]`, `42["llm:delta",{"token":"new name","index":0}]`)
	assert.Equal(t, "new name", wiretest.ReceiveFrom(t, tokens).Token)
	require.NoError(t, client.SendMessage(wiretest.Context(t), events.UserMessage{MessageID: "m1", UserID: user, Text: "hi"}))
	assert.Equal(t, `42["say",{"chatId":"room-1","messageId":"m1","userId":"u1","text":"hi"}]`, stage.next(t))

	require.NoError(t, client.SetNames(map[events.Key]string{events.KeyAIToken: "ai:token"}))
	p.Send(`42["llm:delta",{"token":"old name","index":0}]`, `42["ai:token",{"token":"and back","index":0}]`)
	assert.Equal(t, "and back", wiretest.ReceiveFrom(t, tokens).Token)
}

// Two kinds of events that both accept the payload swap their names
// continuously. At every moment one of them has the name on the wire.
func TestSetNames_doesNotLoseOrDuplicateEvents(t *testing.T) {
	stage := newStage(t, nil)
	client, _ := stage.run(t, Config{})
	all := client.Events.Chan(t.Context(), bus.Limit(1<<20))
	p := wiretest.ReceiveFrom(t, stage.peers)
	const count = 3000
	go func() { // ends when all is sent
		for n := range count {
			p.Send(fmt.Sprintf(`42["ai:token",{"token":"x","index":%d,"status":"working","etaMs":%[1]d}]`, n))
		}
	}()
	swapped := map[bool]map[events.Key]string{
		true:  {events.KeyAIToken: "ai:processing", events.KeyAIProcessing: "ai:token"},
		false: {events.KeyAIToken: "ai:token", events.KeyAIProcessing: "ai:processing"},
	}
	kinds := map[events.Key]int{}
	for n, swap := 0, false; n < count; swap = !swap {
		require.NoError(t, client.SetNames(swapped[swap]))
		for more := true; more && n < count; {
			select {
			case event := <-all:
				kinds[event.Key()]++
				switch event := event.(type) {
				case events.AIToken:
					require.Equal(t, n, event.Index)
				case events.AIProcessing:
					require.EqualValues(t, n, event.EtaMs)
				}
				n++
			default:
				more = false
			}
		}
	}
	assert.Equal(t, count, kinds[events.KeyAIToken]+kinds[events.KeyAIProcessing])
	assert.Empty(t, all)
}

// A key can take the name that another key had until now.
func TestSetNames_swapsTwoNames(t *testing.T) {
	stage := newStage(t, nil)
	client, _ := stage.run(t, Config{})
	tokens, messages := client.Tokens.Chan(t.Context()), client.Messages.Chan(t.Context())
	failures := client.DecodeErrors.Chan(t.Context())
	p := wiretest.ReceiveFrom(t, stage.peers)
	require.NoError(t, client.SetNames(map[events.Key]string{events.KeyAIToken: "ai:message", events.KeyAIMessage: "ai:token"}))
	p.Send(`42["ai:message",{"token":"a token","index":0}]`,
		`42["ai:token",{"messageId":"m","role":"assistant","text":"a message","createdAt":"2026-01-02T03:04:05Z"}]`)
	assert.Equal(t, "a token", wiretest.ReceiveFrom(t, tokens).Token)
	assert.Equal(t, "a message", wiretest.ReceiveFrom(t, messages).Text)
	assert.Empty(t, failures)
}

// An event that waits for a session is sent with the current name of that
// session.
func TestMarkRead_usesEventNameOfNewSession(t *testing.T) {
	names := make(chan string, 2)
	names <- "first"
	names <- "second"
	stage := newStage(t, func(p *peer, frame string) {
		if frame == `42["meta:events:request",{"chatId":"room-1"}]` {
			p.Send(fmt.Sprintf(`42["meta:events:response",{"CHAT_READ":%q}]`, <-names))
		}
	})
	client, _ := stage.run(t, Config{Discovery: Discovery{Enabled: true}})
	require.NoError(t, client.Ready(wiretest.Context(t)))
	first := client.conn.Session()
	wiretest.ReceiveFrom(t, stage.peers).cut()
	wiretest.ReceiveFrom(t, stage.peers)
	require.NoError(t, client.Ready(wiretest.Context(t)))

	// A method that has taken the first session just before its end.
	assert.True(t, notSent(first.Emit(wiretest.Context(t), "x")))
	require.NoError(t, client.MarkRead(wiretest.Context(t), events.Read{UserID: user}))
	for frame := stage.next(t); frame != `42["second",{"chatId":"room-1","userId":"u1","messageIds":[],"readAt":"0001-01-01T00:00:00Z"}]`; frame = stage.next(t) {
		assert.NotContains(t, frame, `"first"`)
	}
	assert.Equal(t, conn.Ready, client.State().Phase)
}
