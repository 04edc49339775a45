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

// Discovery asks the server for the names of its events, after each connect and
// before the join. The request carries chatId and Config.Meta. The response is an
// object from key to name. Its names are in force for the very next event, both
// for sending and for listening, and replace those of an earlier response.
// Unknown keys and invalid names are ignored.
//
// When no response arrives in time, the names stay as they are, and a later
// response is ignored unless AcceptPushed is set. Client.Names publishes each
// change.
type Discovery struct {
	Enabled       bool          // ask after each connect
	Timeout       time.Duration // default: DefaultDiscoveryTimeout
	RequestEvent  string        // default: DefaultDiscoveryRequest
	ResponseEvent string        // default: DefaultDiscoveryResponse

	// AcceptPushed takes a response that the client has not asked for, at any
	// time: for backends that announce new names by themselves. Its names are
	// added to those that are known. Default: false.
	AcceptPushed bool
}

func (d *Discovery) setDefaults() {
	setDefault(&d.Timeout, DefaultDiscoveryTimeout)
	setDefault(&d.RequestEvent, DefaultDiscoveryRequest)
	setDefault(&d.ResponseEvent, DefaultDiscoveryResponse)
}

// discovery asks for names, and is the listener of the server's responses.
type discovery struct {
	cfg     Discovery
	log     *slog.Logger
	request any                                                                            // the payload of a request
	learn   func(ctx context.Context, discovered map[events.Key]string, pushed bool) error // puts names in force

	mu    sync.Mutex // no other lock is taken while it is held
	asked *inquiry   // waits for a response; nil for none
}

// An inquiry is a request without a response so far.
type inquiry struct{ answered chan struct{} } // closed when the response is in force

func (d *discovery) Active() bool {
	if d.cfg.AcceptPushed {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked != nil
}

func (d *discovery) Close() {}

// Receive puts a response in force in the reader's goroutine: the next event may
// have a name of it.
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
	if err := d.learn(ctx, discovered, asked == nil); err != nil { // of NameFunc
		d.log.Warn("chat: discovery: the names stay as they are", "error", err)
		return nil
	}
	d.log.Info("chat: discovery", "names", discovered)
	return nil
}

// take removes the inquiry and returns it. With one that is given, it removes
// that one only, and returns nil if it has been taken.
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

// discover asks the server, and waits until its response is in force or the
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
