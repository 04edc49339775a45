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
// that of the lease's key after the acquisition, so the next tenure has a
// greater one. The stream has a message for each tenure, of the kind keyTenure.
const keyTenure events.Key = "TENURE"

// headerOf returns the value of HeaderLease.
func headerOf(token string, revision uint64) string {
	return token + " " + strconv.FormatUint(revision, 10)
}

// parseLease is the inverse of headerOf; token is "" for an invalid value.
func parseLease(value string) (token string, revision uint64) {
	token, digits, _ := strings.Cut(value, " ")
	revision, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return "", 0
	}
	return token, revision
}

// begin writes the message of a tenure to the stream. A late holder cannot
// write one: each message names its predecessor, and begin returns ErrLeaseLost
// if that has a greater revision.
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
		select { // the server had not caught up, or another holder was faster
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

// lateness decides which late events a reader drops. An event is late if the
// stream has stored it after the start of a later tenure of its lease. Its
// methods must be called for messages in the order of the stream.
//
// The stream drops the next holder's copy of a late event, so a late event may
// be the only copy. Two kinds are dropped. An event without an id of its own is
// dropped, because the stream never drops another holder's copy of it. A token
// is dropped if a later tenure has delivered that index, or a greater one, of
// its request, because it would be out of order.
type lateness struct {
	bus    *Bus
	newest map[string]uint64 // the newest revision, by the lease's token
	last   string            // the last value of HeaderLease that was not late
	tokens map[requestKey]int
	before map[requestKey]int // of earlier requests than those in tokens
}

const (
	maxLeases = 1 << 16 // remembered by a reader
	lagging   = time.Second
)

// drop reports whether to drop an event. For the first message of a lease it
// asks the stream for the tenure at that time. It returns errors of JetStream.
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

// note records the index of a token that is not late.
func (l *lateness) note(key requestKey, index int) {
	if len(l.tokens) >= maxRequests {
		l.before, l.tokens = l.tokens, nil
	}
	if l.tokens == nil {
		l.tokens = map[requestKey]int{}
	}
	l.tokens[key] = index
}

// late reports whether a later tenure had started before a message was stored.
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

// forget is called before older messages are delivered again.
func (l *lateness) forget() { *l = lateness{bus: l.bus} }

// tenureAt returns the revision of the newest tenure at the time when a message
// was stored. It requests that message too: a server that does not have it has
// not caught up, and may lack the start of the tenure too.
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
		if current || time.Since(asked) > lagging { // by then, a missing message has expired
			return revision, nil
		}
		select {
		case <-time.After(firstPause):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
