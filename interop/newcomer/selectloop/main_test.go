package main

import (
	"strings"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun_printsStatesAndAnswer(t *testing.T) {
	server := chattest.NewServer(chattest.Config{Answer: chattest.Say("Well, hello.", 0)})
	defer server.Close()
	var out strings.Builder
	if err := run(t.Context(), &out, server.URL, "Hello?"); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasSuffix(got, "[ready]\nWell, hello.\n") {
		t.Errorf("got %q", got)
	}
}
