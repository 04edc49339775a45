package chat

import (
	"context"
	"encoding/json"
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
// and before the join. The request carries chatId and Config.Meta. The response is an object from key to name: what
// it names is in force from then on, for what is sent and what is heard.
// Unknown keys and names that cannot be used are passed over. When no response
// comes in time, the names stay what they are.
//
// What was learnt is in [conn.State].Learnt once the client is Ready, and in the log.
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

// discover asks, and puts what the server answers in force.
func (c *Client) discover(ctx context.Context, s *conn.Session) {
	d := c.cfg.Discovery
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	responses := conn.Topic[map[string]any](c.conn, d.ResponseEvent).Chan(ctx)
	if s.Emit(ctx, d.RequestEvent, c.base.with(nil)) != nil {
		return // the session has ended
	}
	select {
	case response, ok := <-responses:
		if ok {
			c.learn(s, response)
			return
		}
	case <-ctx.Done():
	}
	c.log.Warn("chat: discovery: no response", "within", d.Timeout)
}

func (c *Client) learn(s *conn.Session, response map[string]any) {
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
		return
	}
	s.Learnt(learnt)
	encoded, _ := json.Marshal(learnt) // strings: it cannot fail
	c.log.Info("chat: discovery", "names", json.RawMessage(encoded))
}
