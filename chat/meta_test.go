package chat

import (
	"testing"

	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A chatId of Meta is in every event of the client's own chat, also in its join
// and leave. Other rooms keep their chatId.
func TestMeta_replacesChatIDInJoinsToo(t *testing.T) {
	stage := newStage(t, nil)
	client, _ := stage.run(t, Config{Meta: map[string]any{"chatId": "other"}})
	assert.Equal(t, `42["chat:join",{"chatId":"other"}]`, stage.next(t))
	require.NoError(t, client.Emit(wiretest.Context(t), "custom", nil))
	assert.Equal(t, `42["custom",{"chatId":"other"}]`, stage.next(t))
	require.NoError(t, client.Join(wiretest.Context(t), room2))
	assert.Equal(t, `42["chat:join",{"chatId":"room-2"}]`, stage.next(t))
	require.NoError(t, client.Leave(wiretest.Context(t), room1))
	assert.Equal(t, `42["chat:leave",{"chatId":"other"}]`, stage.next(t))
}

// A []byte of Meta is an attachment of each event, as a []byte of the event is.
// An event that replaces the field has no such attachment.
func TestMeta_sendsBytesAsAttachment(t *testing.T) {
	data := []byte("meta")
	meta := map[string]any{"a": 1, "key": data, "z": map[string]any{"in": []byte("nested")}}
	onWire(t, Config{NoJoin: true, Meta: meta}, func(t *testing.T, _ wire, client *Client, l *link) {
		copy(data, "lost") // New has copied it
		require.NoError(t, client.Emit(t.Context(), "custom", map[string]any{"own": []byte("own")}))
		assert.Equal(t, `453-["custom",{"a":1,"key":{"_placeholder":true,"num":1},`+
			`"z":{"in":{"_placeholder":true,"num":2}},"own":{"_placeholder":true,"num":0}}]`, <-l.out)
		assert.Equal(t, []string{"4own", "4meta", "4nested"}, []string{<-l.out, <-l.out, <-l.out})
		require.NoError(t, client.Emit(t.Context(), "custom", map[string]any{"key": 1, "z": 2}))
		assert.Equal(t, `42["custom",{"a":1,"key":1,"z":2}]`, <-l.out)
	})
}
