package chat

import (
	"context"
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

// Discovery asks the server for the names of its events, after each connect
// and before the join. The request carries chatId and Config.Meta. The response
// is an object from key to name. Its names are used from then on for sending and
// receiving, for the very next event too. They replace those of an earlier
// response. Unknown keys and names that cannot be used are passed over.
// When no response comes in time the names stay what they are; one that comes
// later is passed over.
//
// What a session has learnt is in its [conn.State].Learnt once the client is
// Ready, and in the log.
type Discovery struct {
	Enabled       bool
	Timeout       time.Duration // default: DefaultDiscoveryTimeout
	RequestEvent  string        // default: DefaultDiscoveryRequest
	ResponseEvent string        // default: DefaultDiscoveryResponse
}

func (d *Discovery) setDefaults() {
	setDefault(&d.Timeout, DefaultDiscoveryTimeout)
	setDefault(&d.RequestEvent, DefaultDiscoveryRequest)
	setDefault(&d.ResponseEvent, DefaultDiscoveryResponse)
}

// discovery is the listener of the server's responses.
type discovery struct {
	client *Client

	mu      sync.Mutex
	waiting chan map[string]string // takes what has been learnt; nil while nobody has asked
}

func (d *discovery) Active() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waiting != nil
}

// Receive puts a response in force in the reader's goroutine: the event that
// comes next may have a name of it.
func (d *discovery) Receive(_ context.Context, p conn.Payload) error {
	var response map[string]any
	if err := p.Decode(&response); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting != nil {
		d.waiting <- d.client.learn(response)
		d.waiting = nil
	}
	return nil
}

func (d *discovery) Close() {}

// expect returns the channel of the next response's names; it has room for them.
func (d *discovery) expect() chan map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = make(chan map[string]string, 1)
	return d.waiting
}

// giveUp passes over what comes from now on.
func (d *discovery) giveUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = nil
}

// discover asks, and waits until what the server answers is in force.
func (c *Client) discover(ctx context.Context, s *conn.Session) {
	d := c.cfg.Discovery
	waiting, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	learnt := c.discovery.expect()
	if s.Emit(waiting, d.RequestEvent, c.base.with(nil)) == nil {
		select {
		case names := <-learnt:
			s.Learnt(names)
			return
		case <-waiting.Done():
		}
	}
	c.discovery.giveUp()
	select {
	case names := <-learnt: // after all
		s.Learnt(names)
	default:
		if ctx.Err() == nil { // otherwise the session has ended
			c.log.Warn("chat: discovery: no response", "within", d.Timeout)
		}
	}
}

// learn puts a response in force, and returns what it says by key.
func (c *Client) learn(response map[string]any) map[string]string {
	discovered, learnt := map[events.Key]string{}, map[string]string{}
	for key := range events.Keys() {
		name, ok := response[string(key)].(string)
		if ok && name != "" && !conn.Reserved(name) {
			discovered[key], learnt[string(key)] = name, name
		}
	}
	c.mu.Lock()
	next := c.sources
	next.discovered = discovered
	err := c.rename(next)
	c.mu.Unlock()
	if err != nil { // of NameFunc
		c.log.Warn("chat: discovery: the names stay as they are", "error", err)
		return nil
	}
	c.log.Info("chat: discovery", "names", learnt)
	return learnt
}
