package chat_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/reconnect"
)

// A question that is lost with its session is asked again, with the same ids.
func ExampleStreamConfig_lostQuestion() {
	var asked atomic.Int32
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
			if asked.Add(1) == 1 {
				chattest.SocketFromContext(ctx).CloseNow() // the question is lost
				return
			}
			chattest.Say("Here I am, "+q.MessageID+".", 0)(ctx, q, emit)
		},
	})
	defer server.Close()
	client, err := chat.New(server.URL, chat.Config{
		ChatID: events.StringID("room-1"),
		Stream: chat.StreamConfig{LostTimeout: 50 * time.Millisecond, OnLost: chat.AskAgain},
		Conn:   conn.Config{Reconnect: reconnect.Policy{InitialInterval: 10 * time.Millisecond}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	go client.Run(context.Background()) // ends with client.Close

	question := chat.Question{UserID: events.StringID("u1"), MessageID: "m1", Text: "Are you there?"}
	message, err := client.Answer(context.Background(), question)
	fmt.Println(message.Text, err, "asked", asked.Load(), "times")
	// Output: Here I am, m1. <nil> asked 2 times
}
