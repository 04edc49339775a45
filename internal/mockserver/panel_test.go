package mockserver

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// request asks the panel, and returns the status and the body of its answer.
func request(t *testing.T, b *Server, method, path, body string, header ...string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(wiretest.Context(t), method, b.URL()+path, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(answer)
}

// change changes the settings.
func change(t *testing.T, b *Server, settings string) {
	t.Helper()
	status, text := request(t, b, "PATCH", "/faults/settings", settings)
	require.Equal(t, http.StatusOK, status, text)
}

func TestFaultPanel_showsSettingsAndClients(t *testing.T) {
	b := serve(t, Config{Faults: Faults{Pace: Duration(time.Millisecond)}})
	client := joined(t, b.URL(), "ada", chat.Config{})
	change(t, b, `{"latency": "1ms", "drop": 0.5}`)
	_, text := request(t, b, "GET", "/faults/state", "")
	var now state
	require.NoError(t, json.Unmarshal([]byte(text), &now))
	assert.Equal(t, Faults{Pace: Duration(time.Millisecond), Latency: Duration(time.Millisecond), Drop: 0.5}, now.Faults)
	assert.Equal(t, []clientState{{client.State().SessionID, "ada"}}, now.Clients)
	assert.Equal(t, "ai:token", now.Names[events.KeyAIToken])

	status, page := request(t, b, "GET", "/", "")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, page, "<h1>Faults</h1>")
}

func TestFaultPanel_rejectsInvalidRequests(t *testing.T) {
	b := serve(t, Config{})
	for _, c := range []struct{ method, path, body, says string }{
		{"PATCH", "/faults/settings", `{"drop": 1.5}`, "drop is a share from 0 to 1, not 1.5"},
		{"PATCH", "/faults/settings", `{"cutAfter": -1}`, "pace, latency, holdAfter, cutAfter, kickAfter and restart are not negative"},
		{"PATCH", "/faults/settings", `{"dorp": 1}`, `unknown field "dorp"`},
		{"PATCH", "/faults/settings", `{"pace": "soon"}`, `invalid duration "soon"`},
		{"PATCH", "/faults/names", `{"AI_TOKEN": ""}`, "AI_TOKEN has no name"},
		{"PATCH", "/faults/names", `{"AI_TOKEN": "ai:message"}`, "AI_MESSAGE and AI_TOKEN are both named"},
		{"POST", "/faults/kick", `[]`, "invalid body"},
		{"POST", "/faults/restart", `{"down": 3}`, "invalid body"},
	} {
		status, text := request(t, b, c.method, c.path, c.body)
		assert.Equal(t, http.StatusBadRequest, status, c.body)
		assert.Contains(t, text, c.says)
	}
	status, _ := request(t, b, "POST", "/faults/kick", "{}", "Origin", "http://elsewhere.example", "Sec-Fetch-Site", "cross-site")
	assert.Equal(t, http.StatusForbidden, status, "a page from elsewhere")
	assert.Equal(t, Faults{}, b.faults())
}

func TestFaults_dropOrCorruptTokens(t *testing.T) {
	b := serve(t, Config{Faults: Faults{Drop: 1}})
	client := joined(t, b.URL(), "ada", chat.Config{})
	tokens := client.Tokens.Chan(t.Context())
	failures := client.DecodeErrors.Chan(t.Context())
	_, err := ask(t, client, "Hello").Wait()
	require.NoError(t, err, "the message has the whole text")
	assert.Empty(t, tokens)

	change(t, b, `{"drop": 0, "wrong": 1}`)
	bystander := joined(t, b.URL(), "bob", chat.Config{})
	bystander.Tokens.Chan(t.Context()) // events without a subscriber are not decoded
	theirs := bystander.DecodeErrors.Chan(t.Context())
	_, err = ask(t, client, "Hello").Wait()
	var unreadable *conn.DecodeError
	require.ErrorAs(t, err, &unreadable, "the token names the question")
	assert.Equal(t, "ai:token", wiretest.ReceiveFrom(t, failures).Event)
	assert.Equal(t, "ai:token", wiretest.ReceiveFrom(t, theirs).Event)
	assert.Empty(t, tokens)
}

func TestFaults_failOrStallAnswers(t *testing.T) {
	b := serve(t, Config{Faults: Faults{Error: 1}})
	client := joined(t, b.URL(), "ada", chat.Config{})
	stream := ask(t, client, "Hello")
	_, err := stream.Wait()
	var failure *events.AIError
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, "E_MOCK", failure.Code)
	assert.NotEmpty(t, stream.Progress().Text)

	change(t, b, `{"error": 0, "stall": 1}`)
	impatient := joined(t, b.URL(), "bob", chat.Config{Stream: chat.StreamConfig{IdleTimeout: 100 * time.Millisecond}})
	_, err = ask(t, impatient, "Hello").Wait()
	assert.ErrorIs(t, err, chat.ErrStalled)
}

func TestFaults_holdAnswersUntilSettingChanges(t *testing.T) {
	b := serve(t, Config{Faults: Faults{HoldAfter: 3}})
	client := joined(t, b.URL(), "ada", chat.Config{})
	receive := func(tokens <-chan events.AIToken, n int) {
		t.Helper()
		for range n {
			wiretest.ReceiveFrom(t, tokens)
		}
	}
	stream := ask(t, client, "Hello")
	tokens := stream.Tokens()
	receive(tokens, 3)
	change(t, b, `{"holdAfter": 5}`)
	receive(tokens, 2)
	assert.Equal(t, "You said: “Hello”. Each word ", stream.Progress().Text)
	stream.Abort("the test is over") // stops the held answer

	stream = ask(t, client, "Hello")
	receive(stream.Tokens(), 5)
	change(t, b, `{"holdAfter": 0}`)
	message, err := stream.Wait()
	require.NoError(t, err)
	assert.Equal(t, message.Text, stream.Progress().Text)
}

func TestFaultPanel_disconnectsOneOrAllClients(t *testing.T) {
	b := serve(t, Config{})
	ada, adaEnded := enter(t, b.URL(), "ada", chat.Config{})
	bob, bobEnded := enter(t, b.URL(), "bob", chat.Config{})
	require.NoError(t, ada.Ready(wiretest.Context(t)))
	require.NoError(t, bob.Ready(wiretest.Context(t)))
	status, _ := request(t, b, "POST", "/faults/kick", `{"id": "`+ada.State().SessionID+`"}`)
	assert.Equal(t, http.StatusOK, status)
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, adaEnded), conn.ErrDisconnected)
	assert.NoError(t, bob.Conn().Health())
	request(t, b, "POST", "/faults/kick", "")
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, bobEnded), conn.ErrDisconnected)
}

func TestFaultPanel_cutsConnectionsAndRestartsServer(t *testing.T) {
	b := serve(t, Config{})
	client, _ := enter(t, b.URL(), "ada", chat.Config{})
	require.NoError(t, client.Ready(wiretest.Context(t)))
	for _, fault := range []string{"/faults/cut", "/faults/restart"} {
		before := client.State().SessionID
		states := client.States.Chan(t.Context())
		status, text := request(t, b, "POST", fault, "")
		require.Less(t, status, 300, text)
		for state := wiretest.ReceiveFrom(t, states); state.Phase != conn.Ready || state.SessionID == before; state = wiretest.ReceiveFrom(t, states) {
		}
	}
	message, err := ask(t, client, "Still there?").Wait()
	require.NoError(t, err)
	assert.NotEmpty(t, message.Text)
}

func TestFaults_rejectNewConnections(t *testing.T) {
	b := serve(t, Config{Faults: Faults{Refuse: true}})
	_, ended := enter(t, b.URL(), "ada", chat.Config{})
	var refused *conn.RefusedError
	require.ErrorAs(t, wiretest.ReceiveFrom(t, ended), &refused)

	change(t, b, `{"refuse": false, "unavailable": true}`)
	client, _ := enter(t, b.URL(), "ada", chat.Config{})
	states := client.States.Chan(t.Context())
	state := wiretest.ReceiveFrom(t, states)
	for ; state.Phase != conn.Waiting; state = wiretest.ReceiveFrom(t, states) {
	}
	assert.ErrorContains(t, state.Err, "503")
	change(t, b, `{"unavailable": false}`)
	assert.NoError(t, client.Ready(wiretest.Context(t)))
}

func TestFaultPanel_renamesEventsOfRunningServer(t *testing.T) {
	b := serve(t, Config{})
	client := joined(t, b.URL(), "ada", chat.Config{})
	told := chat.On[map[events.Key]string](client, "meta:events:response").Chan(t.Context())
	status, text := request(t, b, "PATCH", "/faults/names", `{"AI_TOKEN": "llm:delta", "USER_TYPING_START": "types"}`)
	require.Equal(t, http.StatusOK, status, text)
	require.NoError(t, client.SetNames(wiretest.ReceiveFrom(t, told)))

	bob := joined(t, b.URL(), "bob", chat.Config{Discovery: chat.Discovery{Enabled: true}})
	begins := chat.On[events.Typing](client, "types").Chan(t.Context())
	require.NoError(t, bob.TypingStart(t.Context(), events.StringID("bob")))
	assert.Equal(t, events.StringID("bob"), wiretest.ReceiveFrom(t, begins).UserID, "passed on under the new name")
	tokens := client.Tokens.Chan(t.Context())
	_, err := ask(t, client, "Hello").Wait()
	require.NoError(t, err)
	assert.Equal(t, "You ", wiretest.ReceiveFrom(t, tokens).Token)
}

func TestFaults_disconnectAndRestartAutomatically(t *testing.T) {
	b := serve(t, Config{Faults: Faults{KickAfter: 3}})
	client, ended := enter(t, b.URL(), "ada", chat.Config{})
	stream := ask(t, client, "Hello")
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, ended), conn.ErrDisconnected)
	_, err := stream.Wait()
	assert.ErrorIs(t, err, chat.ErrStopped)

	other, _ := enter(t, b.URL(), "bob", chat.Config{})
	states := other.States.Chan(t.Context())
	change(t, b, `{"restart": "100ms"}`)
	sessions := map[string]bool{}
	for len(sessions) < 3 {
		sessions[wiretest.ReceiveFrom(t, states).SessionID] = true
	}
	change(t, b, `{"restart": "0s"}`)
}
