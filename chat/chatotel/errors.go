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
	matches func(error) bool
	name    string
}{
	{is(chat.ErrNoToken), "no_token"},
	{is(chat.ErrStalled), "stalled"},
	{is(chat.ErrOffline), "offline"},
	{is(chat.ErrQuestionLost), "question_lost"},
	{is(chat.ErrAmbiguous), "ambiguous"},
	{is(chat.ErrIndex), "index"},
	{is(chat.ErrTooLong), "too_long"},
	{is(chat.ErrAborted), "aborted"},
	{is(chat.ErrStopped), "stopped"},
	{is(chat.ErrNoUser), "no_user"},
	{is(chat.ErrLeft), "left"},
	{is(chat.ErrDuplicateRequest), "duplicate_request"},
	{is(chat.ErrQueueFull), "queue_full"},
	{is(context.Canceled), "canceled"},
	{is(context.DeadlineExceeded), "timeout"},
	{is(conn.ErrPingTimeout), "ping_timeout"},
	{is(conn.ErrProtocolVersion), "protocol_version"},
	{is(conn.ErrDisconnected), "disconnected"},
	{is(conn.ErrSessionLost), "session_lost"},
	{is(conn.ErrNotReady), "not_ready"},
	{is(conn.ErrTooDeep), "too_deep"},
	{is(conn.ErrClosed), "closed"},
	{as[*events.AIError], "backend"},
	{as[*chat.ServerError], "server"},
	{as[*chat.GapError], "gap"},
	{as[*conn.DecodeError], "decode"},
	{as[*conn.TooLargeError], "too_large"},
	{as[*conn.RefusedError], "refused"},
	{as[*conn.ProtocolError], "protocol"},
	{as[*conn.TransportError], "connection_lost"},
	{as[*conn.DialError], "dial"},
	{as[*bus.PanicError], "panic"},
	{as[*conn.AuthError], "auth"},
	{as[*conn.OnConnectError], "on_connect"},
	{as[*chat.JoinError], "join"},
	{as[*conn.ReplyError], "reply"},
	{as[*conn.SendError], "send"},
	{as[*chat.DeliveryError], "delivery"},
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func as[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// errorType returns the error.type of an error: a name of few values, without
// anything that the backend or a user wrote.
func errorType(err error) string {
	for _, t := range errorTypes {
		if t.matches(err) {
			return t.name
		}
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
