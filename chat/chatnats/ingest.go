package chatnats

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ingest publishes in batches of JetStream's fast ingest: the server stores the
// messages of a batch in order and without gaps, or ends the batch. A message
// names its batch, its place in it and an operation in its reply subject:
//
//	inbox.batch.flow.fail.sequence.operation.$FI
//
// All batches share one subscription. The forwarder's goroutine publishes. The
// goroutine of the subscription records the server's replies in the open batch,
// and then signals wake.
type ingest struct {
	conn  *nats.Conn
	inbox string
	sub   *nats.Subscription
	wake  chan struct{}

	mu   sync.Mutex
	open *batch // nil for none
}

// The operations of a message, with the end of the reply subject.
const (
	opStart  = ".0.$FI"
	opAppend = ".1.$FI"
	opEnd    = ".3.$FI" // ends the batch; is not stored
)

const (
	flow  = 500 // messages for one acknowledgement, at most
	flows = 16  // acknowledgements that may be missing
)

// A batch is in use from its first message until the server has ended it, or
// until the forwarder abandons it.
type batch struct {
	replies  string // the reply subject up to the sequence
	subject  string // of the first message
	sent     uint64 // messages
	begun    time.Time
	progress time.Time // time of the last reply, or of the first message
	ending   bool      // the end was sent

	// Of ingest.mu.
	answered bool   // since the forwarder looked last
	acked    uint64 // messages that are stored
	flow     uint64 // messages for one acknowledgement, set by the server
	ended    bool   // by the server, which stored acked messages and stores no more
	refused  uint64 // the message that the server refused; 0 for none
	err      error  // why the server refused a message or the batch
}

// A batchState is the state of a batch according to the server.
type batchState struct {
	acked, refused uint64
	ended          bool
	err            error
}

func newIngest(conn *nats.Conn) (*ingest, error) {
	i := &ingest{conn: conn, inbox: conn.NewInbox(), wake: make(chan struct{}, 1)}
	var err error
	i.sub, err = conn.Subscribe(i.inbox+".>", i.receive)
	return i, err
}

func (i *ingest) close() { _ = i.sub.Unsubscribe() }

// room reports whether the server accepts another message now.
func (i *ingest) room() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	b := i.open
	return b == nil || !b.ending && !b.ended && b.sent < b.acked+b.flow*flows
}

// publish sends a message as the next one of the open batch, and opens one if
// there is none.
func (i *ingest) publish(msg *nats.Msg) error {
	b, op := i.open, opAppend
	if b == nil {
		id := rand.Text()
		now := time.Now()
		b = &batch{subject: msg.Subject, flow: 1, begun: now, progress: now,
			replies: i.inbox + "." + id + "." + strconv.Itoa(flow) + ".fail."}
		op = opStart
	}
	msg.Reply = b.replies + strconv.FormatUint(b.sent+1, 10) + op
	i.mu.Lock()
	i.open = b
	i.mu.Unlock()
	if err := i.conn.PublishMsg(msg); err != nil {
		if b.sent == 0 {
			i.abandon()
		}
		return err
	}
	b.sent++
	return nil
}

// end asks the server to end the open batch and to acknowledge all of it.
func (i *ingest) end() error {
	b := i.open
	b.ending, b.progress = true, time.Now()
	return i.conn.PublishRequest(b.subject, b.replies+strconv.FormatUint(b.sent+1, 10)+opEnd, nil)
}

// abandon drops the open batch.
func (i *ingest) abandon() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.open = nil
}

// state returns the state of the open batch.
func (i *ingest) state() batchState {
	i.mu.Lock()
	defer i.mu.Unlock()
	b := i.open
	if b.answered {
		b.answered, b.progress = false, time.Now()
	}
	return batchState{b.acked, b.refused, b.ended, b.err}
}

// A batchReply is any reply of the server: an acknowledgement, a gap, an error
// of one message, or the end of the batch.
type batchReply struct {
	Type     string              `json:"type"`
	Sequence uint64              `json:"seq"`
	Messages uint64              `json:"msgs"`
	Error    *jetstream.APIError `json:"error"`
	Count    uint64              `json:"count"`
}

// receive is called by nats.go for each reply.
func (i *ingest) receive(msg *nats.Msg) {
	var reply batchReply
	var failed error
	switch {
	case msg.Header.Get("Status") == "503":
		failed = nats.ErrNoResponders
	default:
		if err := json.Unmarshal(msg.Data, &reply); err != nil {
			failed = fmt.Errorf("chatnats: reply of the stream: %w", err)
		}
	}
	i.mu.Lock()
	b := i.open
	if b == nil || !strings.HasPrefix(msg.Subject, b.replies) {
		i.mu.Unlock()
		return // a reply to an abandoned batch
	}
	b.answered = true
	switch {
	case failed != nil:
		b.err = failed
	case reply.Type == "ack":
		b.acked = max(b.acked, reply.Sequence)
		b.flow = max(reply.Messages, 1)
	case reply.Type == "gap": // the end of the batch follows
	case reply.Type == "err" && b.err == nil:
		b.refused, b.err = reply.Sequence, apiError(reply.Error)
	case reply.Error != nil && b.err == nil:
		b.refused, b.err = sequenceOf(msg.Subject, b.replies), reply.Error
	case reply.Error != nil: // a consequence of the first error
	default:
		b.acked, b.ended = max(b.acked, reply.Count), true
	}
	i.mu.Unlock()
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// sequenceOf returns the number of the message that a reply is for.
func sequenceOf(subject, replies string) uint64 {
	digits, _, _ := strings.Cut(subject[len(replies):], ".")
	sequence, _ := strconv.ParseUint(digits, 10, 64)
	return sequence
}

func apiError(err *jetstream.APIError) error {
	if err == nil {
		return errors.New("chatnats: the stream refused a message")
	}
	return err
}
