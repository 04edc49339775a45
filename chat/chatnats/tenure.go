package chatnats

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/events"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// A tenure is the time for which one instance holds a lease. Its revision is
// the one that the lease's key had when it was acquired: that of the next tenure is
// greater. The stream keeps a message for each tenure, under the kind keyTenure.
const keyTenure events.Key = "TENURE"

// headerOf is the value of HeaderLease.
func headerOf(token string, revision uint64) string {
	return token + " " + strconv.FormatUint(revision, 10)
}

// parseLease returns what headerOf was given; token is "" for any other value.
func parseLease(value string) (token string, revision uint64) {
	token, digits, _ := strings.Cut(value, " ")
	revision, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return "", 0
	}
	return token, revision
}

// begin writes the message of a tenure into the stream. A holder that is late
// cannot write it: each one names the message that it follows, and a greater
// revision is followed by none.
func (b *Bus) begin(ctx context.Context, token string, revision uint64) error {
	for {
		last, sequence, err := b.lastTenure(ctx, token)
		if err != nil {
			return err
		}
		if last > revision {
			return ErrLeaseLost
		}
		msg := nats.NewMsg(b.prefix + "." + token + "." + string(keyTenure))
		msg.Header.Set(HeaderLease, headerOf(token, revision))
		_, err = b.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(sequence))
		if !conflict(err) {
			return err
		}
		select { // the server that was asked had not caught up, or another holder is at it
		case <-time.After(firstPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// lastTenure returns the newest message of a tenure, or zeros if there is none.
func (b *Bus) lastTenure(ctx context.Context, token string) (revision, sequence uint64, err error) {
	found, err := jetstreamext.GetLastMsgsFor(ctx, b.js, b.prefix, []string{b.tenures(token)})
	if err != nil {
		return 0, 0, err
	}
	for msg, err := range found {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return 0, 0, nil
		}
		if err != nil {
			return 0, 0, err
		}
		_, revision = parseLease(msg.Header.Get(HeaderLease))
		sequence = msg.Sequence
	}
	return revision, sequence, nil
}

func (b *Bus) tenures(token string) string { return b.prefix + ".*." + token + "." + string(keyTenure) }

// lateness tells a reader which late events to drop: those that a holder sent
// before it noticed that it had lost its lease, and that the stream has behind
// the beginning of a later tenure. It is asked about messages in the order of
// the stream.
//
// The stream drops the next holder's copy of an event that it has already, so a
// late event may be the only one. It is dropped where that cannot be, or where
// it would be out of order: an event without an id of its own, and a token that
// is not behind those that later tenures have of its request.
type lateness struct {
	bus    *Bus
	newest map[string]uint64 // revision, by the lease's token
	last   string            // the value of HeaderLease that came last
	tokens map[requestKey]int
	before map[requestKey]int // of the requests before those of tokens
}

const (
	maxLeases = 1 << 16 // that a reader remembers
	lagging   = time.Second
)

// drop reports whether an event is to be dropped. For the first message of a
// lease it asks the stream for the tenure that had begun before. The error is
// that of JetStream.
func (l *lateness) drop(ctx context.Context, header nats.Header, subject string, sequence uint64, event events.Event) (bool, error) {
	late, err := l.late(ctx, header, subject, sequence)
	if err != nil {
		return false, err
	}
	switch event := event.(type) {
	case events.AIToken:
		if event.RequestID == "" {
			return late, nil
		}
		key := requestKey{event.ChatID.String(), event.RequestID}
		if !late {
			if header.Get(HeaderLease) != "" {
				l.note(key, event.Index)
			}
			return false, nil
		}
		newest, found := l.tokens[key]
		if !found {
			newest, found = l.before[key]
		}
		return found && event.Index <= newest, nil
	case events.AIMessage:
		return late && event.MessageID == "", nil
	case events.ChatMessage:
		return late && event.MessageID == "", nil
	case events.AIToolCall:
		return late && event.CallID == "", nil
	case events.AIToolResult:
		return late && event.CallID == "", nil
	}
	return late && event != nil, nil
}

// note notes the index of a token that is not late.
func (l *lateness) note(key requestKey, index int) {
	if len(l.tokens) >= maxRequests {
		l.before, l.tokens = l.tokens, nil
	}
	if l.tokens == nil {
		l.tokens = map[requestKey]int{}
	}
	l.tokens[key] = index
}

// late reports whether a message is of an earlier tenure than one before it.
func (l *lateness) late(ctx context.Context, header nats.Header, subject string, sequence uint64) (bool, error) {
	value := header.Get(HeaderLease)
	if value == "" || value == l.last {
		return false, nil
	}
	token, revision := parseLease(value)
	if token == "" {
		return false, nil
	}
	newest, known := l.newest[token]
	if !known {
		var err error
		if newest, err = l.bus.tenureAt(ctx, token, subject, sequence); err != nil {
			return false, err
		}
	}
	l.remember(token, max(newest, revision))
	if revision >= newest {
		l.last = value
	}
	return revision < newest, nil
}

func (l *lateness) remember(token string, revision uint64) {
	if l.newest == nil || len(l.newest) >= maxLeases {
		l.newest = map[string]uint64{}
	}
	l.newest[token], l.last = revision, ""
}

// forget is called when older messages come again.
func (l *lateness) forget() { *l = lateness{bus: l.bus} }

// tenureAt returns the revision of the tenure that was the newest when a message
// was stored. It asks for that message as well: a server that does not have it
// has not caught up, and may not have the beginning of the tenure either.
func (b *Bus) tenureAt(ctx context.Context, token, subject string, sequence uint64) (revision uint64, err error) {
	for asked := time.Now(); ; {
		found, err := jetstreamext.GetLastMsgsFor(ctx, b.js, b.prefix, []string{b.tenures(token), subject},
			jetstreamext.GetLastMsgsUpToSeq(sequence))
		if err != nil {
			return 0, err
		}
		current := false
		for msg, err := range found {
			if errors.Is(err, jetstreamext.ErrNoMessages) {
				break
			}
			if err != nil {
				return 0, err
			}
			if strings.HasSuffix(msg.Subject, "."+string(keyTenure)) {
				_, revision = parseLease(msg.Header.Get(HeaderLease))
			}
			current = current || msg.Sequence == sequence
		}
		if current || time.Since(asked) > lagging { // after that time the message has expired
			return revision, nil
		}
		select {
		case <-time.After(firstPause):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
