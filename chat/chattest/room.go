package chattest

import (
	"slices"

	"github.com/seed67206a74/parley/events"
)

// A membership is the payload of the events that enter and leave a room.
type membership struct {
	ChatID events.ID `json:"chatId"`
}

// join puts k into the room of a chat, and tells everybody in it. A payload
// without a chatId is the client's own affair.
func (s *Server) join(k *Socket, to membership) {
	if to.ChatID.IsZero() {
		return
	}
	if !slices.Contains(s.rooms[to.ChatID], k) {
		s.rooms[to.ChatID] = append(s.rooms[to.ChatID], k)
	}
	s.sendPresence(to.ChatID)
}

// leave takes k out of the room of a chat, and tells everybody in it.
func (s *Server) leave(k *Socket, from membership) {
	room := s.rooms[from.ChatID]
	i := slices.Index(room, k)
	if i < 0 {
		return
	}
	s.rooms[from.ChatID] = slices.Delete(room, i, i+1)
	s.sendPresence(from.ChatID)
	if len(s.rooms[from.ChatID]) == 0 {
		delete(s.rooms, from.ChatID)
	}
}

// forget takes a client that is gone out of everything.
func (s *Server) forget(k *Socket) {
	s.keeper.forget(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.expiry != nil {
		k.expiry.Stop()
	}
	s.sockets = slices.DeleteFunc(s.sockets, func(other *Socket) bool { return other == k })
	for chatID := range s.rooms {
		s.leave(k, membership{chatID})
	}
}

// tellRooms tells everybody in k's rooms who is there.
func (s *Server) tellRooms(k *Socket) {
	for chatID, room := range s.rooms {
		if slices.Contains(room, k) {
			s.sendPresence(chatID)
		}
	}
}

// sendPresence tells everybody in a room who is there, in the order in which
// they came.
func (s *Server) sendPresence(chatID events.ID) {
	room := s.rooms[chatID]
	online := make([]events.ID, 0, len(room))
	for _, k := range room {
		id := k.userID
		if id.IsZero() {
			id = events.StringID(k.ID)
		}
		if k.conn.ctx.Err() == nil && !slices.Contains(online, id) {
			online = append(online, id)
		}
	}
	s.send(room, events.Presence{ChatID: chatID, OnlineUserIDs: online})
}

// audience is who hears what k says in a chat: the chat's room if k has joined
// it, else k alone.
func (s *Server) audience(k *Socket, chatID events.ID) []*Socket {
	if room := s.rooms[chatID]; slices.Contains(room, k) {
		return room
	}
	return []*Socket{k}
}

// Room returns the clients in the room of a chat, in the order in which they
// came. One whose connection is cut and who may come back is among them.
func (s *Server) Room(chatID events.ID) []*Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rooms[chatID])
}

// Emit sends an event to everybody in the room of a chat, outside of any answer:
// a message of another person, for example. A chatId that it leaves open is the room's.
// Nobody in the room, nobody is told.
func (s *Server) Emit(chatID events.ID, ev events.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(s.rooms[chatID], envelope{chatID: chatID}.around(ev))
}
