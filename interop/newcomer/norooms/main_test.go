package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func backend(t *testing.T) *chattest.Server {
	server := chattest.NewServer(chattest.Config{
		Names:  map[events.Key]string{events.KeyAIToken: "llm:delta", events.KeyAIMessage: "llm:final"},
		Answer: chattest.Say("About you.", 0),
		Auth: func(auth map[string]any) error {
			switch auth["token"] {
			case "token-2":
				return nil
			case "token-1":
				return &conn.RefusedError{Message: "token expired"}
			}
			return errors.New("no such user")
		},
	})
	t.Cleanup(server.Close)
	return server
}

func TestRun_replacesExpiredToken(t *testing.T) {
	server, fetched := backend(t), 0
	token := func(context.Context) (string, error) {
		fetched++
		return fmt.Sprint("token-", fetched), nil
	}
	var out strings.Builder
	if err := run(t.Context(), &out, server.URL, "abc-123", token); err != nil {
		t.Fatal(err)
	}
	if want := "About you.\n(10 characters)\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	server.Expect(t, "user:message", map[string]any{"consultationId": "abc-123"})
	if joins := server.Received("chat:join"); len(joins) > 0 {
		t.Errorf("joined: %v", joins)
	}
}

func TestRun_endsAfterRefusal(t *testing.T) {
	server := backend(t)
	token := func(context.Context) (string, error) { return "forged", nil }
	err := run(t.Context(), &strings.Builder{}, server.URL, "abc-123", token)
	if err == nil || !strings.Contains(err.Error(), "no such user") {
		t.Errorf("got %v", err)
	}
}
