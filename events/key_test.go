package events_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed67206a74/parley/events"
)

func TestKeys_yieldsOrderedKeysWithDefaultNames(t *testing.T) {
	var got [][2]string
	for key := range events.Keys() {
		got = append(got, [2]string{string(key), key.DefaultName()})
	}
	assert.Equal(t, [][2]string{
		{"JOIN", "chat:join"},
		{"USER_MESSAGE", "user:message"},
		{"USER_TYPING_START", "user:typingStart"},
		{"USER_TYPING_STOP", "user:typingStop"},
		{"AI_ABORT", "ai:abort"},
		{"CHAT_READ", "chat:read"},
		{"CHAT_MESSAGE", "chat:message"},
		{"PRESENCE_UPDATE", "presence:update"},
		{"AI_PROCESSING", "ai:processing"},
		{"AI_TOKEN", "ai:token"},
		{"AI_MESSAGE", "ai:message"},
		{"AI_ERROR", "ai:error"},
		{"AI_TOOL_CALL", "ai:tool_call"},
		{"AI_TOOL_RESULT", "ai:tool_result"},
	}, got)
}

func TestDefaultName_isEmptyForUnknownKey(t *testing.T) {
	assert.Empty(t, events.Key("NO_SUCH_KEY").DefaultName())
	assert.Empty(t, events.Key("").DefaultName())
}

func TestKeys_allowsEarlyBreak(t *testing.T) {
	for key := range events.Keys() {
		assert.Equal(t, events.KeyJoin, key)
		break
	}
}
