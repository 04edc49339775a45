package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
)

// list answers "consultation:list" with an event of its own.
func list(ctx context.Context, r chattest.Received) (any, error) {
	return nil, r.Socket.Emit(ctx, "consultation:slots", []Slot{{"Dr. Wu", "9:00"}, {"Dr. Gray", "10:30"}})
}

// book acknowledges "consultation:book" with a receipt.
func book(_ context.Context, r chattest.Received) (any, error) {
	var booking Booking
	if err := r.Decode(&booking); err != nil {
		return nil, err
	}
	return Receipt{Number: 4711}, nil
}

// confirm answers a question, and asks the client something itself first.
func confirm(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
	text := "There is no telling."
	reply, err := chattest.SocketFromContext(ctx).Call(ctx, "consultation:confirm", Booking{Name: "Ada"})
	var said Confirmation
	if err == nil && json.Unmarshal(reply, &said) == nil && said.Agreed {
		text = "It is, since you have just agreed."
	}
	emit(events.AIMessage{MessageID: "m1", Role: "assistant", Text: text, CreatedAt: time.Now()})
}
