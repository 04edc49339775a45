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

// A Call is an event that waits for its acknowledgement.
type Call struct {
	socket  *Socket
	id      int64
	link    context.Context
	replies chan Reply
}

// Send sends an event that asks for an acknowledgement, which [Call.Wait]
// returns. The event is not sent again when the session is resumed.
func (s *Socket) Send(name string, args ...any) (*Call, error) {
	event, err := encodeEvent(name, args)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		return nil, ErrGone
	}
	c := &Call{s, s.nextAck, s.link, make(chan Reply, 1)}
	s.nextAck++
	s.acks[c.id] = c.replies
	s.write(event, c.id)
	return c, nil
}

// Wait waits for the acknowledgement, until ctx ends. It fails with [ErrGone]
// as soon as the connection ends. It is called once.
func (c *Call) Wait(ctx context.Context) (Reply, error) {
	defer func() {
		c.socket.mu.Lock()
		defer c.socket.mu.Unlock()
		delete(c.socket.acks, c.id)
	}()
	select {
	case reply := <-c.replies:
		return reply, nil
	case <-ctx.Done():
		return Reply{}, ctx.Err()
	case <-c.link.Done():
		return Reply{}, ErrGone
	}
}

// Call is Send and Wait.
func (s *Socket) Call(ctx context.Context, name string, args ...any) (Reply, error) {
	c, err := s.Send(name, args...)
	if err != nil {
		return Reply{}, err
	}
	return c.Wait(ctx)
}

// write sends an event on the current connection; s.mu is held.
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
