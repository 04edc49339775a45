package chattest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAuth_rejectsWithMessageAndData(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want conn.RefusedError
	}{
		"an error":          {errors.New("who are you?"), conn.RefusedError{Message: "who are you?"}},
		"a typed refusal":   {&conn.RefusedError{Message: "expired", Data: json.RawMessage(`{"code":401}`)}, conn.RefusedError{Message: "expired", Data: json.RawMessage(`{"code":401}`)}},
		"a wrapped refusal": {fmt.Errorf("auth: %w", &conn.RefusedError{Message: "expired"}), conn.RefusedError{Message: "expired"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, chattest.Config{Auth: func(map[string]any) error { return tc.err }})
			c, err := conn.New(server.URL, quiet)
			require.NoError(t, err)
			refused, ok := errors.AsType[*conn.RefusedError](c.Run(t.Context()))
			require.True(t, ok)
			refused.Payload = nil // the same in another form
			assert.Equal(t, tc.want, *refused)
		})
	}
}

func TestAuth_receivesClientPayload(t *testing.T) {
	seen := make(chan map[string]any, 2)
	server := start(t, chattest.Config{Auth: func(auth map[string]any) error {
		seen <- auth
		return nil
	}})
	anonymous, _, _ := client(t, server, conn.Config{})
	require.NoError(t, anonymous.Ready(t.Context()))
	assert.Nil(t, wiretest.ReceiveFrom(t, seen))

	known, _, _ := client(t, server, conn.Config{Auth: func(context.Context) (any, error) {
		return json.RawMessage(`{"token":"t1","tenant":12345678901234567890}`), nil
	}})
	require.NoError(t, known.Ready(t.Context()))
	assert.Equal(t, map[string]any{"token": "t1", "tenant": json.Number("12345678901234567890")}, wiretest.ReceiveFrom(t, seen))
}

func TestClose_cancelsRunningAnswer(t *testing.T) {
	stopped := make(chan string, 1)
	server := start(t, chattest.Config{Answer: stubborn(nil, stopped)})
	c, heard := joined(t, server, "room-1", "ada")
	ask(t, c, question("room-1", "r1"))
	until(t, heard, "ai:token")
	states := c.States.Chan(t.Context())

	server.Close()
	assert.Equal(t, "r1", <-stopped, "before Close returns")
	wiretest.ReceivePhase(t, states, conn.Waiting)
	server.Close() // a second call has no effect
}

func TestStart_reusesPortAfterClose(t *testing.T) {
	first := start(t, chattest.Config{})
	c, _, _ := client(t, first, conn.Config{})
	require.NoError(t, c.Ready(t.Context()))
	states := c.States.Chan(t.Context())
	first.Close()
	wiretest.ReceivePhase(t, states, conn.Waiting)

	second, err := chattest.Start(strings.TrimPrefix(first.URL, "http://"), chattest.Config{})
	require.NoError(t, err, "Close has freed the port")
	t.Cleanup(second.Close)
	assert.Equal(t, first.URL, second.URL)
	wiretest.ReceivePhase(t, states, conn.Ready)
}

func TestStart_reportsPortInUse(t *testing.T) {
	server := start(t, chattest.Config{})
	_, err := chattest.Start(strings.TrimPrefix(server.URL, "http://"), chattest.Config{})
	assert.ErrorContains(t, err, "address already in use")
}

func TestStart_usesLoopbackWithoutHost(t *testing.T) {
	server, err := chattest.Start(":0", chattest.Config{})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+$`, server.URL)
	c, _, _ := client(t, server, conn.Config{})
	assert.NoError(t, c.Ready(t.Context()))
}

func TestCloseClientConnections_letsClientReconnect(t *testing.T) {
	server := start(t, chattest.Config{})
	c, heard := joined(t, server, "room-1", "ada")
	server.CloseClientConnections()
	assert.Equal(t, "presence:update", wiretest.ReceiveFrom(t, heard).Name, "it has come back")
	ask(t, c, question("room-1", "r1"))
}

func TestCloseClientConnections_endsRunningAnswer(t *testing.T) {
	servers := make(chan *chattest.Server, 1)
	server := start(t, chattest.Config{Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
		emit(events.AIToken{Token: "Well"})
		(<-servers).CloseClientConnections()
		<-ctx.Done()
	}})
	c, heard := joined(t, server, "room-1", "ada")
	ask(t, c, question("room-1", "r1"))
	until(t, heard, "ai:token")
	servers <- server
	before, _ := until(t, heard, "presence:update")
	assert.Empty(t, before, "it has come back, to no answer")
}

func TestServer_acceptsAnyOrigin(t *testing.T) {
	server := start(t, chattest.Config{})
	c, _, _ := client(t, server, conn.Config{Header: http.Header{"Origin": {"http://localhost:5173"}}})
	assert.NoError(t, c.Ready(t.Context()))
}

func TestServer_rejectsUnknownNamespace(t *testing.T) {
	server := start(t, chattest.Config{})
	c, err := conn.New(server.URL+"/admin", quiet)
	require.NoError(t, err)
	assert.ErrorAs(t, c.Run(t.Context()), new(*conn.RefusedError))
}

func TestServer_acceptsEventsBeforeConnectReply(t *testing.T) {
	server := start(t, chattest.Config{})
	for range 200 {
		ws := dial(t, server, `40`, `420["echo","hello"]`)
		assert.Contains(t, ws.read(), `0{"`)
		assert.Contains(t, ws.read(), `40{"sid":`)
		assert.Equal(t, `430["hello"]`, ws.read())
		require.NoError(t, ws.Close())
	}
}

func TestServer_acknowledgesQuestionBeforeAnswer(t *testing.T) {
	server := start(t, chattest.Config{})
	ws := dial(t, server, `40`, `427["user:message",{"messageId":"m1","userId":5,"text":"hi"}]`)
	for _, part := range []string{`0{`, `40{`, `42["chat:message"`, `437[{"ok":true}]`, `42["ai:processing"`} {
		assert.Contains(t, ws.read(), part)
	}
}

// wire is a websocket without a client on top.
type wire struct {
	*websocket.Conn
	t *testing.T
}

// dial opens a websocket, and sends frames without waiting for a reply.
func dial(t *testing.T, server *chattest.Server, frames ...string) wire {
	t.Helper()
	url := "ws" + strings.TrimPrefix(server.URL, "http") + "/socket.io/?EIO=4&transport=websocket"
	ws, _, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	require.NoError(t, err)
	t.Cleanup(func() { ws.Close() })
	for _, frame := range frames {
		require.NoError(t, ws.WriteMessage(websocket.TextMessage, []byte(frame)))
	}
	return wire{ws, t}
}

func (w wire) read() string {
	w.t.Helper()
	_, frame, err := w.ReadMessage()
	require.NoError(w.t, err)
	return string(frame)
}

func TestServer_supportsLongPolling(t *testing.T) {
	url := start(t, chattest.Config{}).URL + "/socket.io/?EIO=4&transport=polling"
	defer http.DefaultClient.CloseIdleConnections()
	request := func(method, body string) string {
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return string(answer)
	}

	var handshake struct{ SID string }
	require.NoError(t, json.Unmarshal([]byte(request(http.MethodGet, "")[1:]), &handshake))
	url += "&sid=" + handshake.SID
	assert.Equal(t, "ok", request(http.MethodPost, "40\x1e420[\"echo\",\"hello\"]"))
	var heard string
	for !strings.HasSuffix(heard, `430["hello"]`) {
		heard += request(http.MethodGet, "")
	}
	assert.Contains(t, heard, `40{"sid":`)
}
