package chatnats

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// ErrUnfinished is the error of a DeadLetter whose last worker ended while it
// handled the event.
var ErrUnfinished = errors.New("chatnats: workers ended while they handled the event")

// An attemptCount counts the attempts of a group at an event. The bucket has a
// key for each event that was attempted more than once, until the event is
// handled or a dead letter. The key is written before an attempt, so that an
// attempt that ends the process counts. The first attempt is not written, which
// would cost a request for each event.
type attemptCount struct {
	worker   *worker
	key      string
	number   int    // of the last attempt
	revision uint64 // of the key; 0 if it was not written
}

// countTimeout limits how long an attempt waits for its count.
const countTimeout = 5 * apiTimeout

func (w *worker) countAttempts(d Delivery) *attemptCount {
	return &attemptCount{worker: w, key: "attempts." + w.cfg.Name + "." + strconv.FormatUint(d.Sequence, 10)}
}

// next counts an attempt that is about to begin. It writes the key if an
// earlier attempt is known or possible. If it cannot, only this worker counts
// the attempt.
func (c *attemptCount) next(ctx context.Context, repeated bool) {
	if c.number == 0 && !repeated {
		c.number = 1
		return
	}
	timeout := countTimeout
	if c.worker.uncounted.Load() {
		timeout = firstPause
	}
	writing, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := c.write(writing)
	for err != nil && writing.Err() == nil {
		if conflict(err) { // an earlier worker has written the key
			_ = c.read(writing) // on failure, the next write conflicts again
		}
		select {
		case <-time.After(firstPause / 10):
			err = c.write(writing)
		case <-writing.Done():
		}
	}
	c.number++
	if ctx.Err() == nil && c.worker.uncounted.Swap(err != nil) != (err != nil) {
		if err != nil {
			c.worker.bus.log.Warn("chatnats: attempts are not counted", "group", c.worker.cfg.Name, "error", err)
		} else {
			c.worker.bus.log.Info("chatnats: attempts are counted again", "group", c.worker.cfg.Name)
		}
	}
}

// message returns the message that sets the key. It expires with the event.
func (c *attemptCount) message(number int) *nats.Msg {
	msg := nats.NewMsg(c.worker.bus.kvSubject(c.key))
	msg.Data = strconv.AppendInt(nil, int64(number), 10)
	if age := c.worker.bus.maxAge; age > 0 {
		msg.Header.Set(jetstream.MsgTTLHeader, max(age, time.Second).String())
	}
	return msg
}

func (c *attemptCount) write(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	ack, err := c.worker.bus.js.PublishMsg(ctx, c.message(c.number+1), jetstream.WithExpectLastSequencePerSubject(c.revision), jetstream.WithRetryAttempts(0))
	if err == nil {
		c.revision = ack.Sequence
	}
	return err
}

func (c *attemptCount) read(ctx context.Context) error {
	prefix := c.worker.bus.prefix
	found, err := jetstreamext.GetLastMsgsFor(ctx, c.worker.bus.js, "KV_"+prefix, []string{"$KV." + prefix + "." + c.key})
	if err != nil {
		return err
	}
	for msg, err := range found {
		if err != nil {
			return err
		}
		c.revision = msg.Sequence
		if number, err := strconv.Atoi(string(msg.Data)); err == nil { // not a marker
			c.number = max(c.number, number)
		}
	}
	return nil
}

// undo subtracts an attempt that did not start, or ended because the worker
// stops. It has no effect if another worker has written the key since.
func (c *attemptCount) undo() {
	if c.revision != 0 {
		msg := c.message(c.number - 1)
		msg.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(c.revision, 10))
		_ = c.worker.bus.conn.PublishMsg(msg) // on failure, it counts
	}
}

// forget removes the key. On failure, it expires.
func (c *attemptCount) forget() {
	if c.revision != 0 {
		msg := nats.NewMsg(c.worker.bus.kvSubject(c.key))
		msg.Header.Set("KV-Operation", "PURGE")
		msg.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
		msg.Header.Set(jetstream.MsgTTLHeader, markerTTL.String())
		_ = c.worker.bus.conn.PublishMsg(msg)
	}
}
