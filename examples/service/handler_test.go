package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestService_isNotReadyWhileReconnecting(t *testing.T) {
	backend := chattest.NewServer(chattest.Config{})
	defer backend.Close()
	client, err := chat.New(backend.URL, chat.Config{
		ChatID: events.StringID("room-1"),
		Conn:   conn.Config{Reconnect: reconnect.Policy{InitialInterval: time.Hour, MaxInterval: time.Hour}},
	})
	require.NoError(t, err)
	defer client.Close()
	routes := (&handler{client: client}).routes()

	status, body := get(routes, "/")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "<form")
	assert.Contains(t, body, `href="debug/chat"`)
	status, body = get(routes, "/readyz")
	assert.Equal(t, http.StatusServiceUnavailable, status, body)
	go client.Run(t.Context()) // ends with client.Close
	require.NoError(t, client.Ready(t.Context()))
	status, body = get(routes, "/readyz")
	assert.Equal(t, http.StatusOK, status, body)

	status, body = get(routes, "/debug/chat")
	assert.Equal(t, http.StatusOK, status, body)

	backend.CloseClientConnections()
	require.Eventually(t, func() bool { return client.State().Phase == conn.Waiting }, time.Minute, time.Millisecond)
	status, body = get(routes, "/readyz")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, body, "waiting, attempt 1: "+client.State().Err.Error(), "the reason")
	status, body = get(routes, "/healthz")
	assert.Equal(t, http.StatusOK, status, body)
}

func TestService_returnsBadGatewayOnAnswerError(t *testing.T) {
	backend := chattest.NewServer(chattest.Config{
		Answer: func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
			emit(events.AIError{Message: "out of ideas"})
		},
	})
	defer backend.Close()
	client, err := chat.New(backend.URL, chat.Config{ChatID: events.StringID("room-1")})
	require.NoError(t, err)
	defer client.Close()
	go client.Run(t.Context()) // ends with client.Close
	response := httptest.NewRecorder()
	(&handler{client: client}).routes().ServeHTTP(response,
		httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ask", strings.NewReader("Well?")))
	assert.Equal(t, http.StatusBadGateway, response.Code)
	assert.Equal(t, "ai error: out of ideas\n", response.Body.String())
}

func TestService_endsWhenBackendRefuses(t *testing.T) {
	backend := chattest.NewServer(chattest.Config{Auth: func(map[string]any) error { return errors.New("who are you?") }})
	defer backend.Close()
	err := run(t.Context(), &strings.Builder{}, "127.0.0.1:0", backend.URL, "room-1", time.Minute)
	require.ErrorAs(t, err, new(*conn.RefusedError))
}

func get(routes http.Handler, path string) (status int, body string) {
	response := httptest.NewRecorder()
	routes.ServeHTTP(response, httptest.NewRequest(http.MethodGet, path, nil))
	return response.Code, response.Body.String()
}
