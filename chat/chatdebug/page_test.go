package chatdebug_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chatdebug"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// get returns the page, and the same as JSON.
func get(t *testing.T, page *chatdebug.Page) (html string, parsed map[string]any, raw string) {
	t.Helper()
	serve := func(target string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		require.Equal(t, http.StatusOK, w.Code)
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		return w
	}
	w := serve("/debug/chat?format=json")
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	raw = w.Body.String()
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &parsed))
	w = serve("/debug/chat")
	assert.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
	return w.Body.String(), parsed, raw
}

// only returns the only element of a list in the JSON of the page.
func only(t *testing.T, in map[string]any, list string) map[string]any {
	t.Helper()
	all, ok := in[list].([]any)
	require.True(t, ok, list)
	require.Len(t, all, 1, list)
	return all[0].(map[string]any)
}

func TestPage_showsClient(t *testing.T) {
	received := make(chan struct{})
	backend := chattest.NewServer(chattest.Config{Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
		emit(events.AIToken{Token: "Hello"})
		close(received)
		<-ctx.Done()
	}})
	defer backend.Close()
	page := new(chatdebug.Page)
	client, err := chat.New(backend.URL+"/", chat.Config{
		ChatID: events.StringID("room-1"), Observers: []any{page},
		Names: map[events.Key]string{events.KeyPresenceUpdate: "who"},
		Conn:  conn.Config{Reconnect: reconnect.Policy{InitialInterval: time.Hour, MaxInterval: time.Hour}},
	})
	require.NoError(t, err)
	client.Tokens.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.DropNewest), bus.Name("panel"))
	go client.Run(t.Context()) // ends with client.Close
	stream, err := client.Ask(t.Context(), chat.Question{UserID: events.StringID("u1"), RequestID: "r1", Text: "Hi"})
	require.NoError(t, err)
	<-received
	require.Eventually(t, func() bool { return stream.Progress().Tokens == 1 }, time.Minute, time.Millisecond)

	html, parsed, _ := get(t, page)
	shown := only(t, parsed, "clients")
	assert.Equal(t, backend.URL+"/", shown["url"])
	assert.Equal(t, "ok", shown["health"])
	assert.Equal(t, "ready", shown["state"].(map[string]any)["phase"])
	assert.Len(t, shown["history"], 3, "connecting, connected, ready")
	open := only(t, shown, "streams")
	for field, want := range map[string]any{"requestId": "r1", "phase": "answering", "tokens": 1.0, "chatId": "room-1"} {
		assert.Equal(t, want, open[field], field)
	}
	assert.NotEmpty(t, open["age"])
	subscription := only(t, shown, "subscriptions")
	for field, want := range map[string]any{"topic": "ai:token", "name": "panel", "policy": "DropNewest", "limit": 1.0, "pending": 1.0} {
		assert.Equal(t, want, subscription[field], field)
	}
	assert.Contains(t, subscription["caller"], "chat/chatdebug/page_test.go:")
	assert.Contains(t, shown["names"], map[string]any{"key": "PRESENCE_UPDATE", "name": "who"})
	for _, part := range []string{"<code>r1</code>", "answering", ">chat/chatdebug/page_test.go:", "panel", "<code>who</code>", "connecting"} {
		assert.Contains(t, html, part)
	}

	backend.CloseClientConnections()
	require.Eventually(t, func() bool { return client.State().Phase == conn.Waiting }, time.Minute, time.Millisecond)
	html, parsed, _ = get(t, page)
	history := only(t, parsed, "clients")["history"].([]any)
	last := history[0].(map[string]any)
	assert.Equal(t, "waiting", last["phase"])
	assert.Contains(t, last["cause"], "connection lost")
	assert.Contains(t, html, "connection lost")

	require.NoError(t, client.Close())
	html, parsed, _ = get(t, page)
	assert.Empty(t, parsed["clients"])
	assert.Contains(t, html, "No client has the page among its observers.")
}

// The page has no credential, no Meta and no text of a message.
func TestPage_hidesSecrets(t *testing.T) {
	const secret = "s3cr3t"
	received := make(chan struct{})
	backend := chattest.NewServer(chattest.Config{Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
		emit(events.AIToken{Token: secret + "-token"})
		close(received)
		<-ctx.Done()
	}})
	defer backend.Close()
	page := new(chatdebug.Page)
	client, err := chat.New(backend.URL+"/?key="+secret+"-url", chat.Config{
		ChatID: events.StringID("room-1"), Observers: []any{page}, Meta: map[string]any{"tenant": secret + "-meta"},
		JoinPayload: map[string]any{"token": secret + "-join"},
		Conn: conn.Config{
			Query:  url.Values{"token": {secret + "-query"}},
			Header: http.Header{"Authorization": {secret + "-header"}},
			Auth:   func(context.Context) (any, error) { return map[string]string{"token": secret + "-auth"}, nil },
		},
	})
	require.NoError(t, err)
	defer client.Close()
	go client.Run(t.Context()) // ends with client.Close
	_, err = client.Ask(t.Context(), chat.Question{
		UserID: events.StringID(secret + "-user"), Text: secret + "-question", Meta: map[string]any{"a": secret + "-own"},
	})
	require.NoError(t, err)
	<-received
	html, _, raw := get(t, page)
	assert.Contains(t, html, "room-1")
	assert.NotContains(t, html, secret)
	assert.NotContains(t, raw, secret)
}

// The causes in the history name the server, but no secret of the address.
func TestPage_hidesSecretsOfFailures(t *testing.T) {
	const secret = "s3cr3t"
	serve := func(handle http.HandlerFunc) string {
		server := httptest.NewServer(handle)
		t.Cleanup(server.Close)
		return server.URL
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	refusing := chattest.NewServer(chattest.Config{Auth: func(map[string]any) error { return errors.New("no") }})
	defer refusing.Close()
	for name, address := range map[string]string{
		"no server": closed.URL,
		"no host":   "http://host.invalid",
		"an error":  serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }),
		"a redirect": serve(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/x?"+r.URL.RawQuery, http.StatusFound)
		}),
		"a refusal": refusing.URL,
	} {
		t.Run(name, func(t *testing.T) {
			page := new(chatdebug.Page)
			client, err := chat.New(address+"/?key="+secret+"-url", chat.Config{
				NoJoin: true, Observers: []any{page},
				Conn: conn.Config{
					Query:     url.Values{"token": {secret + "-query"}},
					Header:    http.Header{"Authorization": {secret + "-header"}},
					Auth:      func(context.Context) (any, error) { return map[string]string{"token": secret + "-auth"}, nil },
					Reconnect: reconnect.Policy{InitialInterval: time.Millisecond, MaxAttempts: 2},
				},
			})
			require.NoError(t, err)
			defer client.Close()
			require.Error(t, client.Run(t.Context()))
			html, parsed, raw := get(t, page)
			history := only(t, parsed, "clients")["history"].([]any)
			assert.NotEmpty(t, history[0].(map[string]any)["cause"])
			assert.NotContains(t, html, secret)
			assert.NotContains(t, raw, secret)
		})
	}
}

func TestPage_escapesAndLimitsHistory(t *testing.T) {
	page := new(chatdebug.Page)
	client, err := chat.New("http://localhost", chat.Config{NoJoin: true, Observers: []any{page}})
	require.NoError(t, err)
	defer client.Close()
	for n := range 30 {
		page.OnState(client.Conn(), conn.State{Phase: conn.Waiting, Err: fmt.Errorf("<script>%d</script>", n)})
	}
	page.OnState(new(conn.Conn), conn.State{Err: errors.New("of a connection that is not on the page")})
	html, parsed, _ := get(t, page)
	history := only(t, parsed, "clients")["history"].([]any)
	assert.Len(t, history, 20)
	assert.Equal(t, "<script>29</script>", history[0].(map[string]any)["cause"])
	assert.NotContains(t, html, "<script>")
}

func TestPage_refusesOtherMethods(t *testing.T) {
	w := httptest.NewRecorder()
	new(chatdebug.Page).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/debug/chat", nil))
	assert.Equal(t, http.StatusMethodNotAllowed, w.Code)
}
