package sioserver

import (
	"context"

	"github.com/seed67206a74/parley/internal/socketio"
)

// Emit sends an event. Each []byte in args, at any depth, becomes an
// attachment; everything else is encoded as encoding/json does. Emit does not
// block. With Config.Recovery it succeeds while the session may be resumed.
func (s *Socket) Emit(name string, args ...any) error {
	event, err := encodeEvent(name, args)
	if err != nil {
		return err
	}
	return s.emit(event)
}

func (s *Socket) emit(event encodedEvent) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return ErrGone
	}
	if s.pid != "" {
		event = s.log.add(event)
	}
	switch {
	case s.client != nil:
		s.write(event, socketio.NoID)
	case s.pid == "":
		return ErrGone
	}
	return nil
}

// EmitVolatile sends an event only if the socket is connected. It is not sent
// again when the session is resumed, and has no offset.
func (s *Socket) EmitVolatile(name string, args ...any) error {
	event, err := encodeEvent(name, args)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		return ErrGone
	}
	s.write(event, socketio.NoID)
	return nil
}

// Call sends an event and waits for its acknowledgement, until ctx ends. It
// fails with [ErrGone] as soon as the connection ends.
func (s *Socket) Call(ctx context.Context, name string, args ...any) (Reply, error) {
	event, err := encodeEvent(name, args)
	if err != nil {
		return Reply{}, err
	}
	replies := make(chan Reply, 1)
	s.mu.Lock()
	link, id := s.link, s.nextAck
	if err = ctx.Err(); err == nil && s.client == nil {
		err = ErrGone
	}
	if err == nil {
		s.nextAck++
		s.acks[id] = replies
		s.write(event, id)
	}
	s.mu.Unlock()
	if err != nil {
		return Reply{}, err
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.acks, id)
	}()
	select {
	case reply := <-replies:
		return reply, nil
	case <-ctx.Done():
		return Reply{}, ctx.Err()
	case <-link.Done():
		return Reply{}, ErrGone
	}
}

// write sends an event on the present connection; s.mu is held.
func (s *Socket) write(event encodedEvent, id int64) {
	s.client.send(packetOf(socketio.Event, socketio.BinaryEvent, s.namespace.Name, id, event.data, event.attachments))
}

// acknowledged hands an acknowledgement to its Call. It returns false if the
// packet is malformed. An acknowledgement that no Call waits for is ignored.
func (s *Socket) acknowledged(p socketio.Packet) bool {
	args, err := socketio.SplitArgs(p.Data, p.Binary)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if replies := s.acks[p.ID]; replies != nil {
		delete(s.acks, p.ID)
		replies <- Reply{args, p.Binary} // of capacity 1
	}
	return true
}
