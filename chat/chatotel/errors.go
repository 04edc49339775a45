package chatotel

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"go.opentelemetry.io/otel/attribute"
)

// errorTypes are the values of error.type, the most specific first.
var errorTypes = []struct {
	err  error
	name string
}{
	{chat.ErrNoToken, "no_token"},
	{chat.ErrStalled, "stalled"},
	{chat.ErrOffline, "offline"},
	{chat.ErrQuestionLost, "question_lost"},
	{chat.ErrAmbiguous, "ambiguous"},
	{chat.ErrIndex, "index"},
	{chat.ErrTooLong, "too_long"},
	{chat.ErrAborted, "aborted"},
	{chat.ErrStopped, "stopped"},
	{chat.ErrDuplicateRequest, "duplicate_request"},
	{chat.ErrQueueFull, "queue_full"},
	{context.Canceled, "canceled"},
	{context.DeadlineExceeded, "timeout"},
	{conn.ErrDisconnected, "disconnected"},
	{conn.ErrSessionLost, "session_lost"},
	{conn.ErrNotReady, "not_ready"},
	{conn.ErrClosed, "closed"},
}

// errorType returns the error.type of an error: a name of few values, without
// anything that the backend or a user wrote.
func errorType(err error) string {
	for _, t := range errorTypes {
		if errors.Is(err, t.err) {
			return t.name
		}
	}
	var answer *events.AIError
	var gap *chat.GapError
	var decode *conn.DecodeError
	var join *chat.JoinError
	var panicked *bus.PanicError
	var send *conn.SendError
	switch {
	case errors.As(err, &answer):
		return "backend"
	case errors.As(err, &gap):
		return "gap"
	case errors.As(err, &decode):
		return "decode"
	case errors.As(err, &join):
		return "join"
	case errors.As(err, &panicked):
		return "panic"
	case errors.As(err, &send):
		return "send"
	}
	return errorOther
}

// failure returns error.type, or nothing for no error.
func failure(err error) []attribute.KeyValue {
	if err == nil {
		return nil
	}
	return []attribute.KeyValue{attribute.String(attrError, errorType(err))}
}

// finishReason returns the reason that the backend gave in finishReason or
// finish_reason. Otherwise the end of the answer decides.
func finishReason(end chat.AnswerEnd) string {
	if end.Err != nil {
		return finishError
	}
	for _, field := range []string{"finishReason", "finish_reason"} {
		if reason := extra(end.Message.Extra, field); reason != "" {
			return reason
		}
	}
	return finishStop
}

// extra returns the text of a field that is not part of the contract.
func extra(fields map[string]json.RawMessage, name string) string {
	var text string
	_ = json.Unmarshal(fields[name], &text) // otherwise it is no text
	return text
}

// messages returns one message in the form of the conventions.
func messages(role, text, finish string) string {
	type part struct {
		Type    string `json:"type"`
		Content string `json:"content"`
	}
	type message struct {
		Role   string `json:"role"`
		Parts  []part `json:"parts"`
		Finish string `json:"finish_reason,omitempty"`
	}
	return encode([]message{{role, []part{{"text", text}}, finish}})
}

// encode returns v as JSON, "" if it has no JSON.
func encode(v any) string {
	encoded, _ := json.Marshal(v)
	return string(encoded)
}
