package chathttp

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// visited returns the ids of the rooms that the backend was asked to join, or
// to leave.
func (s *site) visited(event string) (ids []string) {
	s.t.Helper()
	synctest.Wait()
	for _, received := range s.backend.Received(event) {
		var room struct{ ChatID string }
		require.NoError(s.t, received.Decode(&room))
		ids = append(ids, room.ChatID)
	}
	return ids
}

func TestRoom_isJoinedBeforeQuestionAndLeftWhenIdle(t *testing.T) {
	withSite(t, pauses, Config{}, func(t *testing.T, s *site) {
		first, second := s.ask("a", "Count"), s.ask("a", "Count", "User", "bob")
		assert.Equal(t, []string{"a"}, s.visited("chat:join"))
		assert.Equal(t, "chat:join", s.backend.Received()[0].Name)
		first.frames()
		second.frames()
		time.Sleep(roomIdle - time.Second)
		s.ask("a", "Count").frames()
		time.Sleep(roomIdle - time.Second)
		assert.Empty(t, s.visited("chat:leave"))
		time.Sleep(2 * time.Second)
		assert.Equal(t, []string{"a"}, s.visited("chat:leave"))
		s.ask("a", "Count").frames()
		assert.Equal(t, []string{"a", "a"}, s.visited("chat:join"))
		require.NoError(t, s.web.Close())
		assert.Equal(t, []string{"a", "a"}, s.visited("chat:leave"))
	})
}

func TestRoom_ofOneQuestionIsLeftAtOnce(t *testing.T) {
	withSite(t, nil, Config{}, func(t *testing.T, s *site) {
		s.send("POST", "/v1/chat/completions", `{"messages":[{"role":"user","content":"Hello"}]}`).body()
		assert.Len(t, s.visited("chat:join"), 1)
		assert.Equal(t, s.visited("chat:join"), s.visited("chat:leave"))
	})
}

func TestRoom_ofProgramIsNotLeft(t *testing.T) {
	withSite(t, nil, Config{}, func(t *testing.T, s *site) {
		require.NoError(t, s.client.Join(t.Context(), events.StringID("a")))
		s.ask("a", "Hello").frames()
		time.Sleep(2 * roomIdle)
		assert.Equal(t, []string{"a"}, s.visited("chat:join"))
		assert.Empty(t, s.visited("chat:leave"))
		require.NoError(t, s.web.Close())
		assert.True(t, s.client.Joined(events.StringID("a")))
	})
}

func TestRoom_isJoinedAgainAfterReconnect(t *testing.T) {
	withSite(t, nil, Config{}, func(t *testing.T, s *site) {
		s.ask("a", "Hello").frames()
		s.backend.CloseClientConnections()
		synctest.Wait() // until the client knows
		s.ask("a", "Hello").frames()
		assert.Equal(t, []string{"a", "a"}, s.visited("chat:join"))
		time.Sleep(2 * roomIdle)
		assert.Equal(t, []string{"a"}, s.visited("chat:leave"))
	})
}

func TestNoJoin_asksWithoutRoom(t *testing.T) {
	withSite(t, nil, Config{NoJoin: true}, func(t *testing.T, s *site) {
		assert.Contains(t, s.ask("a", "Hello").body(), `"finish"`)
		time.Sleep(2 * roomIdle)
		assert.Empty(t, s.visited("chat:join"))
		assert.Empty(t, s.visited("chat:leave"))
	})
}

func TestRoom_refusedByBackendRefusesQuestion(t *testing.T) {
	refuse := chattest.Refuse(assert.AnError)
	withJoinTimeout := func(s *site, cfg Config) (*Server, error) {
		return NewPerVisitor(s.clientOf(time.Second), cfg)
	}
	withServer(t, nil, Config{}, withJoinTimeout, func(t *testing.T, s *site) {
		s.backend.Handle("chat:join", refuse)
		assert.Contains(t, s.ask("a", "Hello").until("data-error"), `"not_joined"`)
		assert.Empty(t, s.questions())
	})
}
