package main

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDeleter_isCalledByBackend(t *testing.T) {
	server := chattest.NewServer(chattest.Config{})
	defer server.Close()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := root.WriteFile("old.txt", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, server.URL, root) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	socket := server.Expect(t, "chat:join", nil).Socket

	for _, c := range []struct {
		name string
		want deleted
	}{
		{"old.txt", deleted{"old.txt", true}},
		{"old.txt", deleted{"old.txt", false}},
	} {
		reply, err := socket.Call(t.Context(), "file:delete", c.name)
		if err != nil {
			t.Fatal(err)
		}
		var got deleted
		if err := json.Unmarshal(reply, &got); err != nil || got != c.want {
			t.Errorf("got %v, %v, want %v", got, err, c.want)
		}
	}
}

func TestDeleter_staysBelowRoot(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := deleter(root)(t.Context(), "../passwd"); err == nil {
		t.Error("no error")
	}
}
