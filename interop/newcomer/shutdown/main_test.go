package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type service struct {
	url   string
	asked chan struct{} // a question has reached the backend
	reply chan struct{} // closed to let it answer
	stop  context.CancelFunc
	done  chan error
}

func start(t *testing.T, limit time.Duration) *service {
	s := &service{asked: make(chan struct{}), reply: make(chan struct{}), done: make(chan error, 1)}
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
			s.asked <- struct{}{}
			select {
			case <-s.reply:
				chattest.Say("Just in time.", 0)(ctx, q, emit)
			case <-ctx.Done(): // aborted
			}
		},
	})
	t.Cleanup(server.Close)
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + listener.Addr().String()
	var ctx context.Context
	ctx, s.stop = context.WithCancel(t.Context())
	go func() { s.done <- run(ctx, listener, server.URL, limit) }()
	return s
}

// ask sends a question, and returns the channel of the response's body.
func (s *service) ask(t *testing.T) <-chan string {
	answer := make(chan string, 1)
	go func() {
		response, err := http.Post(s.url+"/ask", "text/plain", strings.NewReader("Hello?"))
		if err != nil {
			answer <- err.Error()
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		answer <- string(body)
	}()
	select {
	case <-s.asked:
	case got := <-answer:
		t.Fatal(got)
	}
	return answer
}

func TestRun_finishesAnswers(t *testing.T) {
	s := start(t, time.Minute)
	answer := s.ask(t)
	s.stop()
	close(s.reply)
	if got := <-answer; got != "Just in time.\n" {
		t.Errorf("got %q", got)
	}
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}

func TestRun_abortsAnswersAfterLimit(t *testing.T) {
	s := start(t, time.Millisecond)
	answer := s.ask(t)
	s.stop()
	if err := <-s.done; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if got := <-answer; strings.Contains(got, "time") {
		t.Errorf("got %q", got)
	}
}
