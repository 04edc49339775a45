package chatnats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// A request goes to prefix.holder.LEASE.REVISION.CHAT: to one tenure of the
// lease. So a holder whose tenure has ended gets none, and a client of NATS that
// may publish to prefix.holder.*.*.CHAT alone speaks in that chat alone. It is
// no subject of the stream, which has three tokens.
func (b *Bus) holder(lease string, revision uint64, chat string) string {
	return b.prefix + ".holder." + lease + "." + strconv.FormatUint(revision, 10) + "." + chat
}

// The verbs of a request.
const (
	verbPing        = "ping"
	verbSend        = "send"
	verbDeliver     = "deliver"
	verbTypingStart = "typingStart"
	verbTypingStop  = "typingStop"
	verbAbort       = "abort"
	verbRead        = "read"
	verbEmit        = "emit"
	verbAsk         = "ask"
	verbNext        = "next" // of an answer: has the events before, and the asker is alive
	verbStop        = "stop" // ends an answer
)

// The headers of a request and of a reply.
const (
	headerVerb   = "Parley-Verb"
	headerTime   = "Parley-Milliseconds" // how long the asker waits
	headerStatus = "Parley-Status"
	headerFrame  = "Parley-Frame" // how many events of the answer come before; +, how many bytes of this one
)

// The statuses of a reply.
const (
	statusDone     = "done"      // the body is a reply
	statusNotTaken = "not taken" // nothing was done: another holder may take it
	statusTaken    = "taken"     // the question will be asked
	statusAsked    = "asked"     // the question is out
	statusEvents   = "events"    // the body is a line for each event: its key and its JSON
	statusPart     = "part"      // the body is the beginning of that of the next message
	statusEnd      = "end"       // the answer has ended; the body is a reply
	statusAlive    = "alive"     // the holder is there
)

// inboxes is how the reply subjects begin that a holder publishes to. It may be
// allowed to publish where an asker is not.
const inboxes = "_INBOX"

func replyable(subject string) bool { return strings.HasPrefix(subject, inboxes) }

// An emission is the body of verbEmit.
type emission struct {
	Event   string          `json:"event"`
	Payload json.RawMessage `json:"payload"`
}

// A question is the body of verbAsk. Asker is random: it keeps apart the
// questions that have the same request id.
type question struct {
	chat.Question
	Asker string
}

// A position is the body of verbNext and verbStop.
type position struct {
	Request string
	Asker   string
	Next    int    // how many events have come; one more when the end has
	Again   bool   // what came after them is lost
	Reason  string // of verbStop
}

// A reply is the body of statusDone and statusEnd.
type reply struct {
	Reply   json.RawMessage `json:"reply,omitzero"`
	Failure *failure        `json:"failure,omitzero"`
}

// A failure is an error on its way.
type failure struct {
	Text      string          `json:"text"`
	Known     string          `json:"known,omitzero"` // the text of a known error that it is
	MaybeSent bool            `json:"maybeSent,omitzero"`
	AI        *events.AIError `json:"ai,omitzero"`
	Gap       *chat.GapError  `json:"gap,omitzero"`
}

// known are the errors that errors.Is finds at the other end.
var known = []error{
	chat.ErrNoToken, chat.ErrStalled, chat.ErrOffline, chat.ErrAborted, chat.ErrAmbiguous, chat.ErrStopped, chat.ErrTooLong,
	chat.ErrNoUser, chat.ErrDuplicateRequest, chat.ErrQueueFull, conn.ErrNotReady,
	ErrOtherChat, ErrHolderLost, ErrLeaseLost, nats.ErrMaxPayload, context.DeadlineExceeded,
}

func failureOf(err error, maybeSent bool) *failure {
	f := &failure{Text: err.Error(), MaybeSent: maybeSent}
	for _, is := range known {
		if errors.Is(err, is) {
			f.Known = is.Error()
			break
		}
	}
	if ai, ok := errors.AsType[*events.AIError](err); ok {
		f.AI = ai
	}
	if gap, ok := errors.AsType[*chat.GapError](err); ok {
		f.Gap = gap
	}
	return f
}

func (f *failure) err() error {
	switch {
	case f.AI != nil:
		return f.AI
	case f.Gap != nil:
		return f.Gap
	}
	for _, is := range known {
		if f.Known == is.Error() {
			if f.Text == f.Known {
				return is
			}
			return fmt.Errorf("%w (%s)", is, f.Text)
		}
	}
	return errors.New(f.Text)
}

// milliseconds returns what headerTime says, at least one and at most an hour.
func milliseconds(msg *nats.Msg, otherwise time.Duration) time.Duration {
	ms, err := strconv.ParseInt(msg.Header.Get(headerTime), 10, 64)
	if err != nil {
		return otherwise
	}
	return time.Duration(min(max(ms, 1), time.Hour.Milliseconds())) * time.Millisecond
}
