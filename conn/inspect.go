package conn

import (
	"maps"

	"github.com/seed67206a74/parley/bus"
)

// Subscriptions describes the open subscriptions to the events of the server,
// by the name of the event, and to States, Raw and DecodeErrors. It is for a
// debug page.
func (c *Conn) Subscriptions() map[string][]bus.SubscriptionInfo {
	all := map[string][]bus.SubscriptionInfo{
		"States": c.States.Subscriptions(), "Raw": c.Raw.Subscriptions(), "DecodeErrors": c.DecodeErrors.Subscriptions(),
	}
	for name, listeners := range c.routes.all() {
		for _, listener := range listeners {
			if l, ok := listener.(interface{ Subscriptions() []bus.SubscriptionInfo }); ok {
				all[name] = append(all[name], l.Subscriptions()...)
			}
		}
	}
	for name, subscriptions := range all {
		if len(subscriptions) == 0 {
			delete(all, name)
		}
	}
	return all
}

// all returns the listeners by name.
func (r *routes) all() map[string][]Listener {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.byName)
}

func (l *topicListener[T]) Subscriptions() []bus.SubscriptionInfo { return l.topic.Subscriptions() }

func (h *handler[Req]) Subscriptions() []bus.SubscriptionInfo { return h.calls.Subscriptions() }
