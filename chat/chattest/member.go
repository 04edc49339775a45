package chattest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/zishang520/socket.io/servers/socket/v3"
)

// A member is a client that has been let in. What changes in it is guarded by
// Server.mu.
type member struct {
	socket  *socket.Socket
	userID  events.ID // none until it is known
	release func()    // lets admit return

	ctx  context.Context // ends when the client is gone
	left context.CancelFunc
}

// admit asks Config.Auth about a client, and returns once the library has
// answered its CONNECT.
//
// The library answers in another goroutine, and that goroutine notes only
// afterwards that the client is in. This one is the one that reads from the
// client. Were it to go on, it could find the client's next packet first, take
// it for one from a stranger, and cut the connection.
func (s *Server) admit(client *socket.Socket, next func(*socket.ExtendedError)) {
	auth := client.Handshake().Auth
	if s.cfg.Auth != nil {
		if err := s.cfg.Auth(auth); err != nil {
			next(refusal(err))
			return
		}
	}

	in := make(chan struct{})
	m := &member{socket: client, release: sync.OnceFunc(func() { close(in) })}
	m.userID = idOf(auth["userId"])
	client.SetData(m)
	// A client that is gone before it is in never gets to connected. The state
	// changes before the event, so one of the two is seen.
	_ = client.Conn().Once("close", func(...any) { m.release() })
	if client.Conn().ReadyState() != "open" {
		m.release()
	}
	next(nil)
	<-in
}

func refusal(err error) *socket.ExtendedError {
	if refused, ok := errors.AsType[*conn.RefusedError](err); ok {
		return socket.NewExtendedError(refused.Message, refused.Data)
	}
	return socket.NewExtendedError(err.Error(), nil)
}

// idOf is the ID that v is, none if it is no ID.
func idOf(v any) (id events.ID) {
	if raw, err := json.Marshal(v); err == nil {
		_ = json.Unmarshal(raw, &id)
	}
	return id
}

// connected takes in a client that has been admitted.
func (s *Server) connected(args ...any) {
	client := args[0].(*socket.Socket)
	m := client.Data().(*member)
	defer m.release()

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	m.ctx, m.left = context.WithCancel(s.ctx)
	// The library may hold locks of its own when it says that a client is gone,
	// locks that a send waits for while it holds s.mu. So leaving is done here.
	s.running.Go(func() { // ends when the client is gone, or on Close
		<-m.ctx.Done()
		s.leave(m)
	})
	client.OnAny(func(args ...any) { s.receive(m, args) })
	_ = client.On("disconnect", func(...any) { m.left() })
	if client.Disconnected() { // before anybody listened
		m.left()
	}
}

// A joining is the payload of the event that enters a room.
type joining struct {
	ChatID events.ID `json:"chatId"`
}

// join puts m into the room of a chat, and tells everybody in it. A payload
// without a chatId is the client's own affair.
func (s *Server) join(m *member, to joining) {
	if to.ChatID.IsZero() {
		return
	}
	if !slices.Contains(s.rooms[to.ChatID], m) {
		s.rooms[to.ChatID] = append(s.rooms[to.ChatID], m)
	}
	s.sendPresence(to.ChatID)
}

// leave takes m out of its rooms, and tells everybody in them.
func (s *Server) leave(m *member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for chatID, room := range s.rooms {
		if i := slices.Index(room, m); i >= 0 {
			s.rooms[chatID] = slices.Delete(room, i, i+1)
			s.sendPresence(chatID)
		}
		if len(s.rooms[chatID]) == 0 {
			delete(s.rooms, chatID)
		}
	}
}

// sendPresence tells everybody in a room who is there, in the order in which
// they came.
func (s *Server) sendPresence(chatID events.ID) {
	room := s.rooms[chatID]
	online := make([]events.ID, 0, len(room))
	for _, m := range room {
		id := m.userID
		if id.IsZero() {
			id = events.StringID(string(m.socket.Id()))
		}
		if !slices.Contains(online, id) {
			online = append(online, id)
		}
	}
	s.send(room, events.Presence{ChatID: chatID, OnlineUserIDs: online})
}

// audience is who hears what m says in a chat: the chat's room if m has joined
// it, else m alone.
func (s *Server) audience(m *member, chatID events.ID) []*member {
	if room := s.rooms[chatID]; slices.Contains(room, m) {
		return room
	}
	return []*member{m}
}
