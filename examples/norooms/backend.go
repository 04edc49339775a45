package main

import (
	"context"
	"fmt"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// admit finds the first token too old.
func admit(auth map[string]any) error {
	if auth["token"] != "token-2" {
		return &conn.RefusedError{Message: "token expired"}
	}
	return nil
}

// recall says where the backend has seen which consultation.
func recall(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
	query := chattest.SocketFromContext(ctx).Query.Get("consultationId")
	text := fmt.Sprintf("It is about %s: so says the query, and the message says %s.", query, q.Extra["consultationId"])
	chattest.Say(text, 0)(ctx, q, emit)
}
