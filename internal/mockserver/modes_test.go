package mockserver

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestModes_haveFlags(t *testing.T) {
	var m Modes
	set := flag.NewFlagSet("", flag.ContinueOnError)
	m.Flags(set)
	require.NoError(t, set.Parse([]string{"-no-request-ids", "-no-stop", "-off-contract", "-early-events", "-own-message-ids"}))
	assert.Equal(t, Modes{true, true, true, true, true}, m)
}

func TestNoRequestIDs_omitsThem(t *testing.T) {
	b := serve(t, Config{Modes: Modes{NoRequestIDs: true}})
	client := joined(t, b.URL(), "ada", chat.Config{})
	finals := client.Messages.Chan(t.Context())
	_, err := ask(t, client, "Hello").Wait()
	require.NoError(t, err)
	assert.Empty(t, wiretest.ReceiveFrom(t, finals).RequestID)
}

func TestNoStop_ignoresAbort(t *testing.T) {
	b := serve(t, Config{Modes: Modes{NoStop: true}, Faults: Faults{Pace: Duration(time.Millisecond)}})
	client := joined(t, b.URL(), "ada", chat.Config{})
	finals := client.Messages.Chan(t.Context())
	stream := ask(t, client, "Hello")
	wiretest.ReceiveFrom(t, stream.Tokens())
	require.NoError(t, client.Conn().Emit(t.Context(), "ai:abort", events.Abort{ChatID: room, RequestID: stream.RequestID()}))
	assert.Equal(t, stream.RequestID(), wiretest.ReceiveFrom(t, finals).RequestID)
}

func TestOffContract_changesTypes(t *testing.T) {
	b := serve(t, Config{Modes: Modes{OffContract: true}})
	client := joined(t, b.URL(), "ada", chat.Config{})
	raw := conn.On[map[string]any](client.Conn(), "ai:message").Chan(t.Context())
	require.NoError(t, client.SendMessage(t.Context(), events.UserMessage{ChatID: room, MessageID: "m1", RequestID: "r1", UserID: events.StringID("ada"), Text: "Hello"}))
	final := wiretest.ReceiveFrom(t, raw)
	assert.IsType(t, 0.0, final["messageId"])
	assert.IsType(t, 0.0, final["createdAt"])
	assert.IsType(t, "", final["usage"].(map[string]any)["totalTokens"])
	assert.Equal(t, "r1", final["requestId"])

	b = serve(t, Config{Modes: Modes{OffContract: true}, Faults: Faults{Error: 1}})
	client = joined(t, b.URL(), "ada", chat.Config{})
	failures := conn.On[any](client.Conn(), "ai:error").Chan(t.Context())
	require.NoError(t, client.SendMessage(t.Context(), events.UserMessage{ChatID: room, MessageID: "m1", UserID: events.StringID("ada"), Text: "Hello"}))
	assert.Equal(t, "the model has given up", wiretest.ReceiveFrom(t, failures))
}

func TestEarlyEvents_arriveFirst(t *testing.T) {
	b := serve(t, Config{Modes: Modes{EarlyEvents: true}})
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(b.URL(), "http")+"/socket.io/?EIO=4&transport=websocket", nil)
	require.NoError(t, err)
	defer ws.Close()
	require.NoError(t, ws.WriteMessage(websocket.TextMessage, []byte("40")))
	for _, begins := range []string{`0{`, `42["chat:message",{`, `40{`} {
		_, frame, err := ws.ReadMessage()
		require.NoError(t, err)
		assert.Equal(t, begins, string(frame[:len(begins)]))
	}
}

func TestOwnMessageIDs_replacesIDsOfSenders(t *testing.T) {
	b := serve(t, Config{Modes: Modes{OwnMessageIDs: true}})
	client := joined(t, b.URL(), "ada", chat.Config{})
	heard := client.ChatMessages.Chan(t.Context())
	require.NoError(t, client.SendMessage(t.Context(), events.UserMessage{MessageID: "mine", UserID: events.StringID("ada"), Text: "Hello"}))
	said := wiretest.ReceiveFrom(t, heard)
	assert.NotEmpty(t, said.MessageID)
	assert.NotEqual(t, "mine", said.MessageID)
}
