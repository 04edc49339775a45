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

// A request is sent to prefix.holder.LEASE.REVISION.CHAT, that is, to one
// tenure of the lease. So a holder whose tenure has ended receives none. A NATS
// client that may publish only to prefix.holder.*.*.CHAT can send only in that
// chat. The stream does not store requests: its subjects have three tokens.
func (b *Bus) holder(lease string, revision uint64, chat string) string {
	return b.prefix + ".holder." + lease + "." + strconv.FormatUint(revision, 10) + "." + chat
}

// The methods of a request.
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
	verbNext        = "next" // reports the asker's position in an answer, and that it is alive
	verbStop        = "stop" // ends an answer
)

// The headers of a request and of a reply.
const (
	headerVerb   = "Parley-Verb"
	headerTime   = "Parley-Milliseconds" // how long the asker waits
	headerStatus = "Parley-Status"
	headerFrame  = "Parley-Frame" // number of preceding events; +, number of preceding bytes
)

// The statuses of a reply.
const (
	statusDone     = "done"      // the body is a reply
	statusNotTaken = "not taken" // nothing was done; another holder may accept it
	statusTaken    = "taken"     // the question was accepted
	statusAsked    = "asked"     // the question was sent
	statusEvents   = "events"    // the body is a line for each event: its key and its JSON
	statusPart     = "part"      // the body is continued in the next message
	statusEnd      = "end"       // the answer has ended; the body is a reply
	statusAlive    = "alive"     // the holder is alive
)

// inboxes is the prefix of the reply subjects that a holder accepts. A holder
// may have more permissions to publish than an asker.
const inboxes = "_INBOX"

func replyable(subject string) bool { return strings.HasPrefix(subject, inboxes) }

// An emission is the body of verbEmit.
type emission struct {
	Event   string          `json:"event"`
	Payload json.RawMessage `json:"payload"`
}

// A question is the body of verbAsk. Asker is random: it distinguishes
// questions with the same request id.
type question struct {
	chat.Question
	Asker string
}

// A position is the body of verbNext and verbStop.
type position struct {
	Request string
	Asker   string
	Next    int    // how many events have arrived; one more after the end
	Again   bool   // asks for the events from Next on again
	Reason  string // of verbStop
}

// A reply is the body of statusDone and statusEnd.
type reply struct {
	Reply   json.RawMessage `json:"reply,omitzero"`
	Failure *failure        `json:"failure,omitzero"`
}

// A failure is an encoded error.
type failure struct {
	Text      string          `json:"text"`
	Known     string          `json:"known,omitzero"` // the text of the known error that matches
	MaybeSent bool            `json:"maybeSent,omitzero"`
	AI        *events.AIError `json:"ai,omitzero"`
	Gap       *chat.GapError  `json:"gap,omitzero"`
}

// known are the errors that errors.Is recognises in the asker's process.
var known = []error{
	chat.ErrNoToken, chat.ErrStalled, chat.ErrOffline, chat.ErrAborted, chat.ErrQuestionLost, chat.ErrAmbiguous, chat.ErrStopped,
	chat.ErrIndex, chat.ErrTooLong, chat.ErrNoUser, chat.ErrDuplicateRequest, chat.ErrQueueFull, chat.ErrLeft, conn.ErrNotReady,
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

// milliseconds returns the duration in headerTime, at least a millisecond and
// at most an hour.
func milliseconds(msg *nats.Msg, otherwise time.Duration) time.Duration {
	ms, err := strconv.ParseInt(msg.Header.Get(headerTime), 10, 64)
	if err != nil {
		return otherwise
	}
	return time.Duration(min(max(ms, 1), time.Hour.Milliseconds())) * time.Millisecond
}
