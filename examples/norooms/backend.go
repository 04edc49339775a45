package main

import (
	"context"
	"fmt"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// admit accepts the second token only, as if the first one had expired.
func admit(auth map[string]any) error {
	if auth["token"] != "token-2" {
		return &conn.RefusedError{Message: "token expired"}
	}
	return nil
}

// recall answers with the consultation's id in the query and in the message.
func recall(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
	query := chattest.SocketFromContext(ctx).Query.Get("consultationId")
	text := fmt.Sprintf("It is about consultation %s in the query and %s in the message.", query, q.Extra["consultationId"])
	chattest.Say(text, 0)(ctx, q, emit)
}
