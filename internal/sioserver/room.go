package sioserver

import "slices"

// Join adds the socket to a room.
func (s *Socket) Join(room string) {
	n := s.namespace
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.ctx.Err() == nil && !slices.Contains(n.rooms[room], s) {
		n.rooms[room] = append(n.rooms[room], s)
	}
}

// Leave removes the socket from a room.
func (s *Socket) Leave(room string) {
	n := s.namespace
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leave(s, room)
}

// Rooms returns the rooms that the socket has joined, sorted.
func (s *Socket) Rooms() []string {
	n := s.namespace
	n.mu.Lock()
	defer n.mu.Unlock()
	var rooms []string
	for room, members := range n.rooms {
		if slices.Contains(members, s) {
			rooms = append(rooms, room)
		}
	}
	slices.Sort(rooms)
	return rooms
}
