package chat

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// Defaults of [Discovery].
const (
	DefaultDiscoveryTimeout  = 2 * time.Second
	DefaultDiscoveryRequest  = "meta:events:request"
	DefaultDiscoveryResponse = "meta:events:response"
)

// Discovery configures the request for the names of the server's events, after
// each connect and before the join. The request carries chatId and Config.Meta.
// The response is an object from key to name. Its names replace the names of an
// earlier response, and apply to the very next event, sent or received. Unknown
// keys and invalid names are ignored.
//
// If no response arrives in time, the names do not change, and a later response
// is ignored unless AcceptPushed is set. Client.Names publishes each change.
type Discovery struct {
	Enabled       bool          // ask after each connect
	Timeout       time.Duration // default: DefaultDiscoveryTimeout
	RequestEvent  string        // default: DefaultDiscoveryRequest
	ResponseEvent string        // default: DefaultDiscoveryResponse

	// AcceptPushed accepts responses at any time, for backends that announce
	// new names without a request. They are added to the discovered names, and
	// replace the earlier name of the same key. Default: false.
	AcceptPushed bool
}

func (d *Discovery) setDefaults() {
	setDefault(&d.Timeout, DefaultDiscoveryTimeout)
	setDefault(&d.RequestEvent, DefaultDiscoveryRequest)
	setDefault(&d.ResponseEvent, DefaultDiscoveryResponse)
}

// discovery requests names, and is the listener for the server's responses.
type discovery struct {
	cfg     Discovery
	log     *slog.Logger
	request any // the payload of a request

	// learn applies discovered names.
	learn func(ctx context.Context, discovered map[events.Key]string, pushed bool) error

	mu    sync.Mutex // no other lock is taken while it is held
	asked *inquiry   // waits for a response, or nil
}

// An inquiry is a request without a response so far.
type inquiry struct{ answered chan struct{} } // closed when the response is applied

func (d *discovery) Active() bool {
	if d.cfg.AcceptPushed {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked != nil
}

func (d *discovery) Close() {}

// Receive applies a response in the reader's goroutine, because the next event
// may already use one of its names.
func (d *discovery) Receive(ctx context.Context, p conn.Payload) error {
	var response map[string]any
	if err := p.Decode(&response); err != nil {
		return err
	}
	asked := d.take(nil)
	if asked != nil {
		defer close(asked.answered)
	} else if !d.cfg.AcceptPushed {
		return nil
	}
	discovered := map[events.Key]string{}
	for key := range events.Keys() {
		if name, ok := response[string(key)].(string); ok && name != "" && !conn.Reserved(name) {
			discovered[key] = name
		}
	}
	if err := d.learn(ctx, discovered, asked == nil); err != nil { // an invalid name from NameFunc
		d.log.Warn("chat: discovery: the names stay as they are", "error", err)
		return nil
	}
	d.log.Info("chat: discovery", "names", discovered)
	return nil
}

// take removes and returns the current inquiry. If given is not nil and is not
// the current inquiry, take changes nothing and returns nil.
func (d *discovery) take(given *inquiry) *inquiry {
	d.mu.Lock()
	defer d.mu.Unlock()
	asked := d.asked
	if given != nil && asked != given {
		return nil
	}
	d.asked = nil
	return asked
}

// discover sends a request, and waits until its response is applied or the
// timeout has passed.
func (d *discovery) discover(ctx context.Context, s *conn.Session) {
	waiting, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	asked := &inquiry{make(chan struct{})}
	d.mu.Lock()
	d.asked = asked
	d.mu.Unlock()
	if s.Emit(waiting, d.cfg.RequestEvent, d.request) == nil {
		select {
		case <-asked.answered:
			return
		case <-waiting.Done():
		}
	}
	if d.take(asked) == nil { // the reader has the response
		<-asked.answered
		return
	}
	if ctx.Err() == nil { // otherwise the session has ended
		d.log.Warn("chat: discovery: no response", "within", d.cfg.Timeout)
	}
}
