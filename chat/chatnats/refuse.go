package chatnats

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/events"
)

const (
	deniedFor = 10 * time.Second // how long a subject counts as denied
	maxDenied = 1024             // subjects
)

// A denial is the reason why a subject is denied, and the time until which it
// counts as denied.
type denial struct {
	err   error
	until time.Time
}

// permanent reports whether the stream refuses a message at each attempt.
func permanent(err error) bool {
	var failed *jetstream.APIError
	return errors.As(err, &failed) && (failed.ErrorCode == codeTooLarge || failed.ErrorCode == codeHeaderTooLarge)
}

// Error codes of JetStream that nats.go does not name.
const (
	codeTooLarge       = 10054
	codeHeaderTooLarge = 10097
	codeInProcess      = 10158
)

// deny refuses the events that this connection may not publish. It is called
// when a batch makes no progress: the server does not reply to such events, and
// reports only the last one as an error of the connection. deny reports whether
// there were any. The rest of the window is then sent in another batch.
func (f *forwarder) deny() bool {
	err := f.bus.conn.LastError()
	if err == f.lastErr || !errors.Is(err, nats.ErrPermissionViolation) {
		return false
	}
	f.lastErr = err
	subject := ""
	for i := 0; i < len(f.window); {
		if a := f.window[i]; !strings.Contains(err.Error(), `"`+a.msg.Subject+`"`) {
			i++
			continue
		}
		subject = f.window[i].msg.Subject
		f.refuse(f.window[i].event, err)
		if i < f.doubt {
			f.doubt--
		}
		f.remove(i)
		if i < f.sent {
			f.sent--
		}
	}
	if subject == "" {
		return false
	}
	if len(f.denied) >= maxDenied {
		clear(f.denied)
	}
	f.denied[subject] = denial{err, time.Now().Add(deniedFor)}
	f.again()
	return true
}

// refuseSent removes an event from the window that the stream has refused
// permanently. The refusal ends the batch.
func (f *forwarder) refuseSent(i int, err error) {
	if i < f.sent {
		f.refuse(f.window[i].event, err)
		f.remove(i)
		f.sent--
		if i < f.doubt {
			f.doubt--
		}
	}
	f.again()
}

// again abandons the batch, so that the window is sent in another one without a
// pause.
func (f *forwarder) again() {
	f.doubt = min(max(f.doubt, f.sent), len(f.window))
	f.sent, f.acked = 0, 0
	f.ingest.abandon()
}

func (f *forwarder) remove(i int) { f.window = slices.Delete(f.window, i, i+1) }

// refuse reports an event that can never be stored.
func (f *forwarder) refuse(event events.Event, err error) {
	f.refused.Add(1)
	f.bus.count.refused.Add(1)
	if f.cfg.OnRefused == nil {
		f.bus.log.Error("chatnats: event refused", "key", event.Key(), "chat", event.Envelope().ChatID.String(), "error", err)
		return
	}
	defer func() {
		if p := recover(); p != nil {
			f.bus.log.Error("chatnats: OnRefused panicked", "panic", p)
		}
	}()
	f.cfg.OnRefused(event, err)
}
