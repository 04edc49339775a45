package chat_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/reconnect"
)

// A tokenSource keeps a token until it is refused.
type tokenSource struct {
	fetch func(ctx context.Context) (string, error)

	mu    sync.Mutex
	token string // "" if the next attempt must fetch one
}

// auth is Config.Auth: it returns the payload of CONNECT.
func (s *tokenSource) auth(ctx context.Context) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == "" {
		token, err := s.fetch(ctx)
		if err != nil {
			return nil, err
		}
		s.token = token
	}
	return map[string]string{"token": s.token}, nil
}

// retry is Config.Retry: after a refusal because of the token, Run tries again
// with a new one. Any other refusal still ends Run.
func (s *tokenSource) retry(err error) bool {
	var refused *conn.RefusedError
	if !errors.As(err, &refused) || refused.Message != "token expired" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = ""
	return true
}

// A refused token is replaced by Auth and Retry alone.
func ExampleConfig_refusedToken() {
	server := chattest.NewServer(chattest.Config{Auth: func(auth map[string]any) error {
		if auth["token"] != "token-2" {
			return errors.New("token expired")
		}
		return nil
	}})
	defer server.Close()
	fetched := 0
	source := &tokenSource{fetch: func(context.Context) (string, error) {
		fetched++
		return fmt.Sprint("token-", fetched), nil
	}}
	client, err := chat.New(server.URL, chat.Config{
		ChatID: events.StringID("room-1"),
		Conn: conn.Config{
			Auth: source.auth, Retry: source.retry,
			Reconnect: reconnect.Policy{InitialInterval: 10 * time.Millisecond},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	go client.Run(context.Background()) // ends with client.Close
	fmt.Println(client.Ready(context.Background()), "with", server.Sockets()[0].Auth["token"])
	// Output: <nil> with token-2
}
