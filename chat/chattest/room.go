package chattest

import (
	"encoding/json"
	"slices"

	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/sioserver"
)

// A membership is the payload of the events that join and leave a room.
type membership struct {
	ChatID events.ID `json:"chatId"`
}

// roomOf returns the name of a chat's room: the id as JSON, so that 42 and "42"
// are two rooms.
func roomOf(chatID events.ID) string {
	name, _ := json.Marshal(chatID) // an ID can always be encoded
	return string(name)
}

// join adds k to the room of a chat and reports presence to the room. It does
// nothing if the payload has no chatId.
func (s *Server) join(k *Socket, to membership) {
	if to.ChatID.IsZero() {
		return
	}
	k.io.Join(roomOf(to.ChatID))
	s.sendPresence(k.io.Namespace(), roomOf(to.ChatID))
}

// leave removes k from the room of a chat.
func (s *Server) leave(k *Socket, from membership) { s.leaveRoom(k, roomOf(from.ChatID)) }

// leaveRoom removes k from a room and reports presence to it.
func (s *Server) leaveRoom(k *Socket, room string) {
	n := k.io.Namespace()
	if !slices.Contains(n.Room(room), k.io) {
		return
	}
	k.io.Leave(room)
	s.sendPresence(n, room)
}

// sendPresenceOf reports presence to all rooms of k.
func (s *Server) sendPresenceOf(k *Socket) {
	for _, room := range k.io.Rooms() {
		s.sendPresence(k.io.Namespace(), room)
	}
}

// sendPresence reports to a room which users are connected, in the order in
// which they joined.
func (s *Server) sendPresence(n *sioserver.Namespace, room string) {
	members := members(n, room)
	online := make([]events.ID, 0, len(members))
	for _, k := range members {
		id := k.userID
		if id.IsZero() {
			id = events.StringID(k.ID)
		}
		if k.io.Connected() && !slices.Contains(online, id) {
			online = append(online, id)
		}
	}
	var chatID events.ID
	_ = json.Unmarshal([]byte(room), &chatID)
	s.send(members, events.Presence{ChatID: chatID, OnlineUserIDs: online})
}

func members(n *sioserver.Namespace, room string) []*Socket {
	var all []*Socket
	for _, socket := range n.Room(room) {
		all = append(all, socket.Data.(*Socket))
	}
	return all
}

// audience returns the clients that receive the events of k in a chat: the
// members of its room if k has joined it, else k alone.
func (s *Server) audience(k *Socket, chatID events.ID) []*Socket {
	if room := members(k.io.Namespace(), roomOf(chatID)); slices.Contains(room, k) {
		return room
	}
	return []*Socket{k}
}

// Room returns the clients in the room of a chat in the order in which they
// joined, including those whose session can be recovered.
func (s *Server) Room(chatID events.ID) []*Socket {
	var all []*Socket
	for _, n := range s.namespaces {
		all = append(all, members(n, roomOf(chatID))...)
	}
	return all
}

// Emit sends an event to the room of a chat, outside of any answer: a message
// of another user, for example. It sets a missing chatId to that of the room.
// It has no effect if the room is empty.
func (s *Server) Emit(chatID events.ID, ev events.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(s.Room(chatID), envelope{chatID: chatID}.around(ev))
}
