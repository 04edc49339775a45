package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
)

// list replies to "consultation:list" with the event "consultation:slots".
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

// confirm answers a question. It calls "consultation:confirm" of the client
// first.
func confirm(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
	text := "No, the client has not agreed."
	reply, err := chattest.SocketFromContext(ctx).Call(ctx, "consultation:confirm", Booking{Name: "Ada"})
	var confirmation Confirmation
	if err == nil && json.Unmarshal(reply, &confirmation) == nil && confirmation.Agreed {
		text = "Yes, the client has agreed."
	}
	emit(events.AIMessage{MessageID: "m1", Role: "assistant", Text: text, CreatedAt: time.Now()})
}
