package chatnats

import (
	"context"
	"errors"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
)

// topics are the topics of a Feed.
type topics struct {
	processing   bus.Topic[events.AIProcessing]
	tokens       bus.Topic[events.AIToken]
	messages     bus.Topic[events.AIMessage]
	errors       bus.Topic[events.AIError]
	toolCalls    bus.Topic[events.AIToolCall]
	toolResults  bus.Topic[events.AIToolResult]
	chatMessages bus.Topic[events.ChatMessage]
	presence     bus.Topic[events.Presence]
	raw          bus.Topic[RawEvent]
	events       bus.Topic[events.Event]
	deliveries   bus.Topic[Delivery]
	gaps         bus.Topic[Gap]
}

func newTopics(b *Bus) *topics {
	t := &topics{}
	t.processing.Name, t.processing.Logger = string(events.KeyAIProcessing), b.log
	t.tokens.Name, t.tokens.Logger = string(events.KeyAIToken), b.log
	t.messages.Name, t.messages.Logger = string(events.KeyAIMessage), b.log
	t.errors.Name, t.errors.Logger = string(events.KeyAIError), b.log
	t.toolCalls.Name, t.toolCalls.Logger = string(events.KeyAIToolCall), b.log
	t.toolResults.Name, t.toolResults.Logger = string(events.KeyAIToolResult), b.log
	t.chatMessages.Name, t.chatMessages.Logger = string(events.KeyChatMessage), b.log
	t.presence.Name, t.presence.Logger = string(events.KeyPresenceUpdate), b.log
	t.raw.Name, t.raw.Logger = "Raw", b.log
	t.events.Name, t.events.Logger = "Events", b.log
	t.deliveries.Name, t.deliveries.Logger = "Deliveries", b.log
	t.gaps.Name, t.gaps.Logger = "Gaps", b.log
	return t
}

// publish publishes an event to the topic of its kind, to Events and to
// Deliveries. It returns the error of ctx.
func (t *topics) publish(ctx context.Context, d Delivery) error {
	var err error
	switch event := d.Event.(type) {
	case events.AIProcessing:
		err = t.processing.PublishContext(ctx, event)
	case events.AIToken:
		err = t.tokens.PublishContext(ctx, event)
	case events.AIMessage:
		err = t.messages.PublishContext(ctx, event)
	case events.AIError:
		err = t.errors.PublishContext(ctx, event)
	case events.AIToolCall:
		err = t.toolCalls.PublishContext(ctx, event)
	case events.AIToolResult:
		err = t.toolResults.PublishContext(ctx, event)
	case events.ChatMessage:
		err = t.chatMessages.PublishContext(ctx, event)
	case events.Presence:
		err = t.presence.PublishContext(ctx, event)
	case RawEvent:
		err = t.raw.PublishContext(ctx, event)
	}
	return errors.Join(err, t.events.PublishContext(ctx, d.Event), t.deliveries.PublishContext(ctx, d))
}

// pending returns the total number of values that wait in the subscriptions of
// a topic. They are always the newest ones of that topic.
func (t *topics) pending(key events.Key) int {
	var own int
	switch key {
	case events.KeyAIProcessing:
		own = t.processing.Stats().Total.Pending
	case events.KeyAIToken:
		own = t.tokens.Stats().Total.Pending
	case events.KeyAIMessage:
		own = t.messages.Stats().Total.Pending
	case events.KeyAIError:
		own = t.errors.Stats().Total.Pending
	case events.KeyAIToolCall:
		own = t.toolCalls.Stats().Total.Pending
	case events.KeyAIToolResult:
		own = t.toolResults.Stats().Total.Pending
	case events.KeyChatMessage:
		own = t.chatMessages.Stats().Total.Pending
	case events.KeyPresenceUpdate:
		own = t.presence.Stats().Total.Pending
	case KeyRaw:
		own = t.raw.Stats().Total.Pending
	}
	return own
}

// close closes every topic.
func (t *topics) close() {
	t.processing.Close()
	t.tokens.Close()
	t.messages.Close()
	t.errors.Close()
	t.toolCalls.Close()
	t.toolResults.Close()
	t.chatMessages.Close()
	t.presence.Close()
	t.raw.Close()
	t.events.Close()
	t.deliveries.Close()
	t.gaps.Close()
}
