package chatnats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
)

const (
	idle       = 20 * time.Millisecond // without an event, the batch is ended
	longest    = time.Second           // for a batch; its end shows if all is stored
	lingering  = 5 * time.Second       // how long to wait for acknowledgements after ctx has ended
	firstPause = 50 * time.Millisecond // between attempts, doubled each time
	longPause  = time.Second
)

// A forwarder is the goroutine of a Forwarding.
//
// It sends the events of its window in batches. An event leaves the window when
// the stream has stored it or refused it permanently. When a batch is lost, it
// is not known which of its events are stored. These events are in doubt: they
// are sent again in another batch, before any other event, and the stream drops
// the repetitions. The old copies and the new ones are both in order and
// without gaps, so the first copy of each event is too.
//
// The server also acknowledges a repetition whose first copy it has received
// but not stored yet, and which can still be lost with the server. So the
// acknowledgement of a batch of events in doubt is not enough. The forwarder
// then asks for the last of these events, and they leave the window when it is
// stored.
type forwarder struct {
	*Forwarding
	bus     *Bus
	cfg     ForwardConfig
	sub     *bus.Subscription[events.Event]
	ingest  *ingest
	encoder encoder
	oldest  time.Duration // an older event is not sent again

	window  []accepted // in order
	sent    int        // how many of window are in the open batch
	acked   int        // how many of the sent ones are acknowledged, while there is doubt
	base    uint64     // how many messages of the batch have left the window, if there is no doubt
	doubt   int        // how many of window may be stored already
	left    int        // how many more events to accept; -1 for no limit
	pause   time.Duration
	until   time.Time // when the pause ends
	cause   error     // why the last batch was lost
	denied  map[string]denial
	lastErr error // of the connection, when the batch began
}

type accepted struct {
	event events.Event
	msg   *nats.Msg
	since time.Time
	sent  time.Time // for the first time
}

func (f *forwarder) run(ctx context.Context) {
	defer close(f.done)
	defer f.ingest.close()
	defer f.sub.Close() // unblocks Publish
	err := f.forward(ctx)
	if err == nil {
		err = fenced(ctx) // another instance may hold the lease now
	}
	if err == nil {
		if f.left < 0 {
			f.left = f.sub.Stats().Pending
		}
		finishing, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(lingering, f.cfg.Patience))
		if err = f.forward(finishing); err == nil {
			err = fenced(ctx)
		}
		if err == nil && len(f.window) > 0 {
			err = away(f.cause)
		}
		cancel()
	}
	if err != nil {
		f.err = &ForwardError{Unconfirmed: f.unconfirmed(), Err: err}
	}
}

// unconfirmed returns the events of the window and those of the buffer.
func (f *forwarder) unconfirmed() []events.Event {
	waiting := f.sub.Stats().Pending
	all := make([]events.Event, 0, len(f.window)+waiting)
	for _, a := range f.window {
		all = append(all, a.event)
	}
	for ; waiting > 0; waiting-- {
		event, open := <-f.sub.C()
		if !open {
			break
		}
		all = append(all, event)
	}
	return all
}

// forward returns nil when ctx has ended, or when there is nothing more to
// accept and the window is empty.
func (f *forwarder) forward(ctx context.Context) error {
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for fenced(ctx) == nil && ctx.Err() == nil {
		if err := f.collect(); err != nil {
			if err := f.lost(err); err != nil {
				return err
			}
		}
		ready, err := f.send()
		if err != nil {
			if err := f.lost(err); err != nil {
				return err
			}
			ready = false
		}
		if f.left == 0 && len(f.window) == 0 {
			return nil
		}
		var source <-chan events.Event
		if ready && f.left != 0 {
			source = f.sub.C()
			select { // skip the timer if an event waits
			case event, open := <-source:
				f.accept(event, open)
				continue
			default:
			}
		}
		timer.Reset(f.wait())
		select {
		case event, open := <-source:
			f.accept(event, open)
		case <-f.ingest.wake:
		case <-timer.C:
			if err := f.expire(ready); err != nil {
				if err := f.lost(err); err != nil {
					return err
				}
			}
		case <-ctx.Done():
		}
	}
	return nil
}

// wait returns the time until the next call of expire.
func (f *forwarder) wait() time.Duration {
	switch {
	case !f.until.IsZero():
		return max(time.Until(f.until), 0)
	case len(f.window) > 0 || f.ingest.open != nil:
		return idle
	}
	return time.Hour
}

// accept encodes an event and appends it to the window.
func (f *forwarder) accept(event events.Event, open bool) {
	switch {
	case !open:
		f.left = 0
		return
	case f.left > 0:
		f.left--
	}
	msg, err := f.encoder.encode(event)
	if err != nil {
		f.refuse(event, err)
		return
	}
	if d, found := f.denied[msg.Subject]; found {
		if time.Now().Before(d.until) {
			f.refuse(event, d.err)
			return
		}
		delete(f.denied, msg.Subject)
	}
	f.window = append(f.window, accepted{event: event, msg: msg, since: time.Now()})
}

// send sends as many events as the server accepts. It reports whether the whole
// window is sent and there is room for another event. It sends nothing without
// a connection: nats.go would buffer the events and send them after the
// reconnect, which may be too late.
func (f *forwarder) send() (ready bool, err error) {
	if !f.until.IsZero() {
		return false, nil
	}
	limit := len(f.window)
	if f.doubt > 0 {
		limit = f.doubt
	}
	for f.sent < limit {
		if !f.bus.conn.IsConnected() {
			return false, nats.ErrDisconnected
		}
		if !f.ingest.room() {
			return false, nil
		}
		if f.ingest.open == nil {
			f.base, f.acked, f.lastErr = 0, 0, f.bus.conn.LastError()
		}
		next := &f.window[f.sent]
		if now := time.Now(); next.sent.IsZero() {
			next.sent = now
		} else if now.Sub(next.sent) > f.oldest {
			return false, fmt.Errorf("%w: an event is too old to be sent again", ErrAway)
		}
		err := f.ingest.publish(next.msg)
		if errors.Is(err, nats.ErrMaxPayload) {
			f.refuse(next.event, err)
			f.remove(f.sent)
			limit--
			continue
		}
		if err != nil {
			return false, err
		}
		f.sent++
	}
	b := f.ingest.open
	if b != nil && !b.ending && (f.doubt > 0 || f.left == 0 || time.Since(b.begun) > longest) {
		return false, f.ingest.end()
	}
	return f.doubt == 0 && f.left != 0 && f.ingest.room(), nil
}

// collect processes the server's replies to the batch. It returns an error if
// the batch is lost.
func (f *forwarder) collect() error {
	if f.ingest.open == nil {
		return nil
	}
	s := f.ingest.state()
	if f.doubt > 0 {
		f.acked = min(int(s.acked), f.sent)
	} else {
		f.confirm(int(s.acked - f.base))
		f.base = max(f.base, s.acked)
	}
	switch {
	case s.refused > f.base && permanent(s.err):
		f.refuseSent(int(s.refused-f.base)-1, s.err)
		return nil
	case s.err != nil:
		return s.err
	case s.ended:
		return f.ended()
	}
	return nil
}

var errEnded = errors.New("chatnats: the server ended the batch early")

// ended is called when the server has ended the batch. The server stores no
// more of its events.
func (f *forwarder) ended() error {
	switch {
	case f.doubt > 0 && f.acked == f.sent:
		return f.verify()
	case f.doubt == 0 && f.sent == 0:
		f.ingest.abandon()
		f.pause = 0
		return nil
	}
	if f.doubt == 0 {
		f.sent = 0
	}
	stored := f.base > 0
	if f.deny() {
		return nil
	}
	if f.doubt > 0 || !stored {
		return errEnded
	}
	f.ingest.abandon()
	return nil
}

// verify asks whether the last event in doubt is stored, with a message that
// cannot be stored. The server first compares the id, and then refuses the
// unknown kind of roll-up.
func (f *forwarder) verify() error {
	last := f.window[f.doubt-1].msg
	for pause := firstPause / 10; ; pause = min(2*pause, firstPause) {
		ctx, cancel := context.WithTimeout(context.Background(), f.bus.ackTimeout)
		ack, err := f.bus.js.PublishMsg(ctx, &nats.Msg{Subject: last.Subject, Header: nats.Header{
			jetstream.MsgIDHeader: last.Header[jetstream.MsgIDHeader],
			jetstream.MsgRollup:   {"none"},
		}}, jetstream.WithRetryAttempts(0))
		cancel()
		var failed *jetstream.APIError
		switch {
		case err == nil && ack.Duplicate:
			f.ingest.abandon()
			n := f.doubt
			f.doubt, f.pause = 0, 0
			f.confirm(n)
			f.sent = 0
			return nil
		case errors.As(err, &failed) && failed.ErrorCode == codeInProcess && time.Since(f.ingest.open.progress) < f.bus.ackTimeout:
			time.Sleep(pause)
		case err == nil:
			return errors.New("chatnats: the stream has stored an event that it should refuse")
		default:
			return err
		}
	}
}

// expire is called when neither an event nor a reply has arrived for the
// duration of wait.
func (f *forwarder) expire(ready bool) error {
	if !f.until.IsZero() {
		if time.Now().Before(f.until) {
			return nil
		}
		f.until = time.Time{}
		return nil
	}
	b := f.ingest.open
	switch {
	case b == nil:
		return nil
	case time.Since(b.progress) > f.bus.ackTimeout:
		return errors.New("chatnats: no acknowledgement of a batch")
	case f.deny() || b.ending || !ready && f.sent < len(f.window):
		return nil
	}
	return f.ingest.end()
}

// confirm removes the first n events from the window.
func (f *forwarder) confirm(n int) {
	n = min(n, len(f.window))
	if n <= 0 {
		return
	}
	clear(f.window[:n])
	f.window = f.window[n:]
	f.sent = max(f.sent-n, 0)
	f.confirmed.Add(uint64(n))
	f.bus.count.forwarded.Add(uint64(n))
	if len(f.window) == 0 && cap(f.window) > flow*flows {
		f.window = slices.Clip(f.window[:0])
	}
}

// lost abandons the batch and starts a pause. It returns an error if the
// forwarding must end.
func (f *forwarder) lost(err error) error {
	if f.deny() {
		return nil
	}
	f.cause = err
	f.doubt = min(max(f.doubt, f.sent), len(f.window))
	f.sent, f.acked = 0, 0
	f.ingest.abandon()
	f.pause = min(max(2*f.pause, firstPause), longPause)
	f.until = time.Now().Add(f.pause)
	switch {
	case errors.Is(err, ErrAway):
		return err
	case f.bus.conn.IsClosed():
		return nats.ErrConnectionClosed
	case len(f.window) > 0 && time.Since(f.window[0].since) > f.cfg.Patience:
		return away(err)
	}
	return nil
}

// away returns ErrAway with the reason why the last batch was lost.
func away(cause error) error {
	if cause == nil {
		return ErrAway
	}
	return fmt.Errorf("%w: %w", ErrAway, cause)
}
