package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, answer func(context.Context, events.UserMessage, func(events.Event))) string {
	server := chattest.NewServer(chattest.Config{Answer: answer})
	t.Cleanup(server.Close)
	client, err := chat.New(server.URL, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	go client.Run(t.Context()) // ends with client.Close
	web := httptest.NewServer(ask(client))
	t.Cleanup(web.Close)
	response, err := http.Get(web.URL + "?text=Hello")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestAsk_sendsSentences(t *testing.T) {
	got := get(t, chattest.Say("One word at a time. Two sentences. And a rest", 0))
	want := "data: One word at a time.\n\ndata: Two sentences.\n\ndata: And a rest\n\nevent: end\ndata:\n\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAsk_sendsFailure(t *testing.T) {
	got := get(t, func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
		emit(events.AIToken{Token: "Well"})
		emit(events.AIError{Code: "E_MODEL", Message: "no more"})
	})
	want := "data: Well\n\nevent: failure\ndata: ai error: E_MODEL: no more\n\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
