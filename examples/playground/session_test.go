package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlayground_streamsAnswerInOrder(t *testing.T) {
	server := backend(t, chattest.Config{Answer: chattest.Say("Hello yourself, ada.", 0)})
	ada := open(t, serve(t, server.URL), "ada")
	ada.ready()
	status, text := ada.post("ask", `{"text": " Hello "}`)
	require.Equal(t, http.StatusOK, status, text)
	var question struct{ RequestID, MessageID string }
	require.NoError(t, json.Unmarshal([]byte(text), &question))
	server.Expect(t, "user:message", map[string]any{
		"chatId": "lobby", "userId": "ada", "text": "Hello", "requestId": question.RequestID, "messageId": question.MessageID,
	})

	assert.Equal(t, question.MessageID, ada.receive("CHAT_MESSAGE").Payload.MessageID)
	for index, word := range []string{"Hello ", "yourself, ", "ada."} {
		token := ada.receive("AI_TOKEN").Payload
		assert.Equal(t, index, token.Index)
		assert.Equal(t, word, token.Token)
	}
	assert.Equal(t, "Hello yourself, ada.", ada.receive("AI_MESSAGE").Payload.Text)
	end := wait(ada, "outcome", func(outcome) bool { return true })
	assert.Equal(t, outcome{RequestID: question.RequestID}, end)
	wait(ada, "log", func(e logged) bool { return e.Sent && e.Name == "user:message" })
}

func TestPlayground_abortsOwnAndOtherAnswers(t *testing.T) {
	server := backend(t, chattest.Config{Answer: chattest.Say(strings.Repeat("word ", 10_000), 10*time.Millisecond)})
	playground := serve(t, server.URL)
	ada, bob := open(t, playground, "ada"), open(t, playground, "bob")
	ada.ready()
	bob.ready()
	ada.post("ask", `{"text": "Go on"}`)
	mine := ada.receive("AI_TOKEN").Payload.RequestID
	ada.post("abort", `{"requestID": "`+mine+`"}`)
	server.Expect(t, "ai:abort", map[string]any{"requestId": mine})
	end := wait(ada, "outcome", func(outcome) bool { return true })
	assert.True(t, end.Aborted)
	assert.NotEmpty(t, end.Error)

	ada.post("ask", `{"text": "Go on"}`)
	other := wait(bob, "chat", func(e receivedEvent) bool { return e.Key == "AI_TOKEN" && e.Payload.RequestID != mine }).Payload.RequestID
	status, text := bob.post("abort", `{"requestID": "`+other+`"}`)
	assert.Equal(t, http.StatusNoContent, status, text)
	server.Expect(t, "ai:abort", map[string]any{"requestId": other})
}

// The page shows the first of the two that it receives.
func TestPlayground_reportsAIErrorAndOutcomeAlike(t *testing.T) {
	for name, fault := range map[string]events.AIError{
		"with code":    {Code: "E_MODEL", Message: "the model has failed"},
		"without code": {Message: "the model has failed"},
	} {
		t.Run(name, func(t *testing.T) {
			server := backend(t, chattest.Config{Answer: func(_ context.Context, _ events.UserMessage, emit func(events.Event)) { emit(fault) }})
			ada := open(t, serve(t, server.URL), "ada")
			ada.ready()
			ada.post("ask", `{"text": "Hello"}`)
			said := ada.receive("AI_ERROR").Payload
			end := wait(ada, "outcome", func(outcome) bool { return true })
			assert.Equal(t, outcome{RequestID: said.RequestID, Error: &failure{said.Message, said.Code}}, end)
			assert.Equal(t, failure{fault.Message, fault.Code}, *end.Error)
		})
	}
}

func TestPlayground_leavesRoomWhenTabCloses(t *testing.T) {
	server := backend(t, chattest.Config{Answer: chattest.Say(strings.Repeat("word ", 10_000), 10*time.Millisecond)})
	playground := serve(t, server.URL)
	ada, bob := open(t, playground, "ada"), open(t, playground, "bob")
	wait(ada, "chat", func(e receivedEvent) bool { return len(e.Payload.OnlineUserIDs) == 2 })
	bob.post("ask", `{"text": "Go on"}`)
	bob.receive("AI_TOKEN")
	bob.close()
	server.Expect(t, "ai:abort", nil)
	wait(ada, "chat", func(e receivedEvent) bool { return len(e.Payload.OnlineUserIDs) == 1 })
	for status := 0; status != http.StatusNotFound; { // until its session is removed
		status, _ = bob.post("typing", `{}`)
	}
}

func TestPlayground_losesNoTokenOnNetworkCut(t *testing.T) {
	server := backend(t, chattest.Config{Recovery: time.Minute, Answer: chattest.Say(strings.Repeat("word ", 500), time.Millisecond)})
	ada := open(t, serve(t, server.URL), "ada")
	ada.ready()
	ada.post("ask", `{"text": "Go on"}`)
	index := 0
	for ; index < 20; index++ {
		require.Equal(t, index, ada.receive("AI_TOKEN").Payload.Index)
	}
	status, text := ada.post("cut", `{"seconds": 0.2}`)
	require.Equal(t, http.StatusNoContent, status, text)
	for ended := false; !ended; {
		switch event := wait(ada, "chat", func(receivedEvent) bool { return true }); event.Key {
		case "AI_TOKEN":
			require.Equal(t, index, event.Payload.Index)
			index++
		case "AI_MESSAGE":
			ended = true
		}
	}
	wait(ada, "state", func(s connState) bool { return s.Recovered })
	assert.Equal(t, 500, index)
}

func TestPlayground_followsOrOverridesBackendNames(t *testing.T) {
	server := backend(t, chattest.Config{Answer: chattest.Say("Hello", 0)})
	ada := open(t, serve(t, server.URL), "ada")
	ada.ready()
	server.SetNames(map[events.Key]string{events.KeyAIToken: "llm:delta", events.KeyUserMessage: "say"})
	server.Emit(events.StringID("lobby"), events.AIToken{Token: "first", RequestID: "r0"})
	assert.Equal(t, "first", ada.receive("AI_TOKEN").Payload.Token, "the first token under a new name is received")

	status, text := ada.post("names", `{"names": {"AI_TOKEN": "elsewhere"}}`)
	require.Equal(t, http.StatusNoContent, status, text)
	wait(ada, "names", func(n map[events.Key]string) bool {
		return n[events.KeyAIToken] == "elsewhere" && n[events.KeyUserMessage] == "say"
	})
	ada.post("ask", `{"text": "Hello"}`)
	ada.receive("AI_MESSAGE")
	status, text = ada.post("names", `{"names": {"NO_KEY": "x"}}`)
	assert.Equal(t, http.StatusUnprocessableEntity, status)
	assert.Contains(t, text, "NO_KEY")
}

func TestPlayground_relaysTypingAndReceipts(t *testing.T) {
	server := backend(t, chattest.Config{})
	ada := open(t, serve(t, server.URL), "ada")
	ada.ready()
	// This waits for Ready. Typing events are dropped before that.
	ada.post("read", `{"messageIDs": ["m1"]}`)
	server.Expect(t, "chat:read", map[string]any{"messageIds": []string{"m1"}})
	ada.post("typing", `{"typing": true}`)
	server.Expect(t, "user:typingStart", map[string]any{"userId": "ada"})
	ada.post("typing", `{"typing": false}`)
	server.Expect(t, "user:typingStop", map[string]any{"userId": "ada"})

	socket := server.Sockets()[0]
	require.NoError(t, socket.Emit(t.Context(), "user:typingStart", map[string]string{"userId": "bob"}))
	wait(ada, "typing", func(who struct{ UserID string }) bool { return who.UserID == "bob" })
	require.NoError(t, socket.Emit(t.Context(), "chat:read", map[string]any{"userId": "bob", "messageIds": []string{"m1"}, "readAt": time.Now()}))
	wait(ada, "read", func(who struct{ UserID string }) bool { return who.UserID == "bob" })
	require.NoError(t, socket.Emit(t.Context(), "ai:token", map[string]any{"token": 7}))
	wait(ada, "problem", func(p problem) bool { return p.Event == "ai:token" })
}

func TestPlayground_keepsConversationWholeBesideSlowReader(t *testing.T) {
	server := backend(t, chattest.Config{Answer: chattest.Say(strings.Repeat("word ", 200), 0)})
	ada := open(t, serve(t, server.URL), "ada")
	ada.ready()
	slow := func(fits func(reading) bool) {
		t.Helper()
		wait(ada, "meters", func(all []reading) bool { return len(all) == 4 && fits(all[3]) })
	}
	status, text := ada.post("reader", `{"on": true, "limit": 10, "policy": "DropOldest"}`)
	require.Equal(t, http.StatusNoContent, status, text)
	slow(func(r reading) bool { return r.Policy == "DropOldest" && r.Pending == 0 })
	ada.post("ask", `{"text": "Go on"}`)
	slow(func(r reading) bool { return r.Pending == 10 && r.Dropped == 190 && r.LagMs >= 0 })
	ada.post("reader", `{"on": true, "limit": 10, "policy": "DropOldest", "perSecond": 1000}`)
	slow(func(r reading) bool { return r.Pending == 0 && r.Delivered == 10 && r.Note == "word " && r.LagMs == 0 })

	ada.post("reader", `{"on": true, "limit": 10, "policy": "Fail"}`)
	ada.post("ask", `{"text": "Go on"}`)
	slow(func(r reading) bool { return r.Ended == "bus: slow consumer" })
	ada.post("reader", `{}`)
	wait(ada, "meters", func(all []reading) bool { return len(all) == 3 && all[0].Name == "conversation" && all[0].Dropped == 0 })
}

func TestPlayground_reconnectsAfterServerDisconnect(t *testing.T) {
	server := backend(t, chattest.Config{})
	ada := open(t, serve(t, server.URL), "ada")
	ada.ready()
	status, text := ada.post("kick", `{}`)
	assert.Equal(t, http.StatusUnprocessableEntity, status)
	assert.Contains(t, text, "fault panel", "the backend has no fault panel")
	server.Sockets()[0].Disconnect()
	wait(ada, "state", func(s connState) bool { return s.Phase == "stopped" && s.Error != "" })
	for connected := false; !connected; { // the state is published just before Run returns
		ada.post("connect", `{}`)
		connected = len(server.Sockets()) > 0
	}
	ada.ready()
}

func TestPlayground_rejectsInvalidCommands(t *testing.T) {
	server := backend(t, chattest.Config{})
	playground := serve(t, server.URL)
	ada := open(t, playground, "ada")
	ada.ready()
	for command, body := range map[string]string{
		"ask": `{"text": "  "}`, "cut": `{"seconds": 3600}`, "reader": `{"on": true, "limit": 0, "policy": "Fail"}`,
	} {
		status, _ := ada.post(command, body)
		assert.Equal(t, http.StatusUnprocessableEntity, status, command)
	}
	status, _ := ada.post("ask", `{"text"`)
	assert.Equal(t, http.StatusBadRequest, status)
	status, _ = post(t, playground+"/sessions/"+ada.id+"/ask", `{"text": "x"}`, "Sec-Fetch-Site", "cross-site", "Origin", "http://elsewhere.example")
	assert.Equal(t, http.StatusForbidden, status, "a page of another origin")
	status, _ = post(t, playground+"/sessions/unknown/ask", `{"text": "x"}`)
	assert.Equal(t, http.StatusNotFound, status)
}
