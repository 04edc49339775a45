package chattest_test

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inBubble runs a backend in memory and a client of it in a bubble.
func inBubble(t *testing.T, cfg chattest.Config, change func(*chat.Config), play func(t *testing.T, server *chattest.Server, client *chat.Client)) {
	synctest.Test(t, func(t *testing.T) {
		server := chattest.NewInMemory(cfg)
		defer server.Close()
		config := chat.Config{
			ChatID: events.StringID("room-1"),
			Stream: chat.StreamConfig{FirstTokenTimeout: -1, IdleTimeout: -1, OfflineTimeout: -1},
			Conn:   conn.Config{HTTP: server.Transport(), Logger: slog.New(slog.DiscardHandler)},
		}
		if change != nil {
			change(&config)
		}
		client, err := chat.New(server.URL, config)
		require.NoError(t, err)
		defer client.Close()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- client.Run(ctx) }() // ends with ctx
		play(t, server, client)
		cancel()
		assert.NoError(t, <-ended)
	})
}

func TestNewInMemory_answersOnFakeClock(t *testing.T) {
	inBubble(t, chattest.Config{Answer: chattest.Say("one two three", 20*time.Minute)}, nil, func(t *testing.T, _ *chattest.Server, client *chat.Client) {
		start := time.Now()
		answer, err := client.Answer(t.Context(), chat.Question{UserID: events.StringID("u1"), Text: "Count."})
		require.NoError(t, err)
		assert.Equal(t, "one two three", answer.Text)
		assert.Equal(t, time.Hour, time.Since(start).Round(time.Minute), "of the bubble's time")
	})
}

// The backend is down for ten minutes. The client waits between its attempts as
// the policy requires.
func TestNewInMemory_reconnectsAfterLongOutage(t *testing.T) {
	var away atomic.Bool
	inBubble(t, chattest.Config{Middleware: func(backend http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if away.Load() {
				http.Error(w, "away", http.StatusServiceUnavailable)
				return
			}
			backend.ServeHTTP(w, r)
		})
	}}, nil, func(t *testing.T, server *chattest.Server, client *chat.Client) {
		require.NoError(t, client.Ready(t.Context()))
		states := client.States.Chan(t.Context())
		start := time.Now()
		away.Store(true)
		server.CloseClientConnections()
		time.AfterFunc(10*time.Minute, func() { away.Store(false) })
		attempts := 0
		for state := range states {
			if state.Phase == conn.Waiting {
				attempts++
				assert.LessOrEqual(t, state.Delay, 7500*time.Millisecond)
			}
			if state.Phase == conn.Ready && attempts > 0 {
				break
			}
		}
		assert.Greater(t, attempts, 80)
		assert.Greater(t, time.Since(start), 10*time.Minute)
		assert.NoError(t, client.SendMessage(t.Context(), events.UserMessage{MessageID: "m1", UserID: events.StringID("u1"), Text: "Back."}))
		server.Expect(t, "user:message", map[string]any{"messageId": "m1"})
	})
}

// An answer continues after a cut, with the events that the backend has kept.
func TestNewInMemory_continuesAnswerAcrossRecovery(t *testing.T) {
	inBubble(t, chattest.Config{Recovery: 2 * time.Minute, Answer: chattest.Say("a b c d e f", time.Second)}, nil,
		func(t *testing.T, server *chattest.Server, client *chat.Client) {
			stream, err := client.Ask(t.Context(), chat.Question{UserID: events.StringID("u1"), Text: "Spell."})
			require.NoError(t, err)
			text := ""
			for token := range stream.Tokens() {
				if text += token.Token; token.Index == 2 {
					server.CloseClientConnections()
				}
			}
			_, err = stream.Wait()
			require.NoError(t, err)
			assert.Equal(t, "a b c d e f", text)
		})
}

func TestNewInMemory_supportsPolling(t *testing.T) {
	inBubble(t, chattest.Config{}, func(cfg *chat.Config) { cfg.Conn.Transports = []string{conn.Polling} },
		func(t *testing.T, server *chattest.Server, client *chat.Client) {
			answer, err := client.Answer(t.Context(), chat.Question{UserID: events.StringID("u1"), Text: "Hi"})
			require.NoError(t, err)
			assert.Equal(t, "You said: Hi", answer.Text)
			time.Sleep(10 * time.Minute) // many pings
			assert.EqualValues(t, 1, client.Stats().Conn.Sessions)
		})
}

func TestTransport_failsAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := chattest.NewInMemory(chattest.Config{})
		transport := server.Transport()
		server.Close()
		_, err := transport.RoundTrip(httpRequest(t, server.URL))
		assert.ErrorContains(t, err, "closed")
	})
}

func httpRequest(t *testing.T, url string) *http.Request {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	return request
}
