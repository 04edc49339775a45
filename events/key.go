package events

import "iter"

// Key identifies an event independently of its name on the wire, which backends
// can change. A client maps each key to its name.
type Key string

// The keys: first those of the events that a program sends, then those of the
// events that it receives.
const (
	KeyJoin            Key = "JOIN"
	KeyUserMessage     Key = "USER_MESSAGE"
	KeyUserTypingStart Key = "USER_TYPING_START"
	KeyUserTypingStop  Key = "USER_TYPING_STOP"
	KeyAIAbort         Key = "AI_ABORT"
	KeyChatRead        Key = "CHAT_READ"

	KeyChatMessage    Key = "CHAT_MESSAGE"
	KeyPresenceUpdate Key = "PRESENCE_UPDATE"
	KeyAIProcessing   Key = "AI_PROCESSING"
	KeyAIToken        Key = "AI_TOKEN"
	KeyAIMessage      Key = "AI_MESSAGE"
	KeyAIError        Key = "AI_ERROR"
	KeyAIToolCall     Key = "AI_TOOL_CALL"
	KeyAIToolResult   Key = "AI_TOOL_RESULT"
)

var defaultNames = [...]struct {
	key  Key
	name string
}{
	{KeyJoin, "chat:join"},
	{KeyUserMessage, "user:message"},
	{KeyUserTypingStart, "user:typingStart"},
	{KeyUserTypingStop, "user:typingStop"},
	{KeyAIAbort, "ai:abort"},
	{KeyChatRead, "chat:read"},
	{KeyChatMessage, "chat:message"},
	{KeyPresenceUpdate, "presence:update"},
	{KeyAIProcessing, "ai:processing"},
	{KeyAIToken, "ai:token"},
	{KeyAIMessage, "ai:message"},
	{KeyAIError, "ai:error"},
	{KeyAIToolCall, "ai:tool_call"},
	{KeyAIToolResult, "ai:tool_result"},
}

// Keys yields every key once, in the order of the constants.
func Keys() iter.Seq[Key] {
	return func(yield func(Key) bool) {
		for _, d := range defaultNames {
			if !yield(d.key) {
				return
			}
		}
	}
}

// DefaultName returns the default name of k on the wire, or "" if k is not one
// of the constants.
func (k Key) DefaultName() string {
	for _, d := range defaultNames {
		if d.key == k {
			return d.name
		}
	}
	return ""
}
