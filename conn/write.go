package conn

import (
	"context"
	"fmt"

	"github.com/seed67206a74/parley/internal/socketio"
)

// A tryWriter is an [Engine] that can write without blocking. Like Write, its
// methods are called by one goroutine at a time.
type tryWriter interface {
	// TryWrite writes messages as Write does, as far as that does not block. If
	// taken is false, nothing was written. If more is true, Flush must be
	// called.
	TryWrite(messages ...Message) (taken, more bool, err error)

	// Flush writes the rest of the messages of TryWrite.
	Flush() error
}

// send writes a packet, or queues it and waits until it is written. handed
// reports whether the server may have received any of it.
func (s *Session) send(ctx context.Context, t socketio.Type, id int64, o *outgoing) (handed bool, err error) {
	o.address(s, t, id)
	if err := s.checkSize(o.messages); err != nil {
		return false, err
	}
	handed, err = s.writeOrQueue(ctx, o)
	return s.blame(o.messages, handed, err)
}

func (s *Session) writeOrQueue(ctx context.Context, o *outgoing) (handed bool, err error) {
	writer, err := s.queue.put(ctx, o, s.direct != nil)
	if err != nil {
		return false, err
	}
	if writer && s.writeNow(o) {
		return true, nil
	}
	select {
	case <-o.sent.done:
		return true, lostUnless(o.sent.err)
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.ended:
		err = ErrSessionLost
	}
	if s.queue.withdraw(o) {
		return false, err
	}
	select {
	case <-o.sent.done: // written meanwhile
		return true, lostUnless(o.sent.err)
	default:
		o.kept = true // by the writer
		return true, err
	}
}

func lostUnless(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrSessionLost, err)
}

// writeNow writes a packet in its caller's goroutine, which is the queue's
// writer, together with the packets of other callers. After that it writes the
// packets that arrived meanwhile. It does not block. It returns false if the
// session's goroutine writes the packet or its rest.
func (s *Session) writeNow(o *outgoing) (written bool) {
	items := o.alone()
	if o.sent != nil {
		items = s.queue.gather()
	}
	for {
		taken, more, err := s.direct.TryWrite(s.collect(items)...)
		s.forget()
		switch {
		case more || err != nil:
			s.queue.handOver(items, err)
			return written
		case !taken:
			s.queue.putBack(items)
			return written
		}
		s.written(items)
		again := s.queue.wrote(items, nil, !written)
		written = true
		if !again {
			return true
		}
		items = s.queue.gather()
	}
}

// write does the work of the session's goroutine, which is the queue's writer.
// The caller reports the result to the queue.
func (s *Session) write(u *unfinished) (err error) {
	switch {
	case u.err != nil:
		return u.err
	case u.begun:
		err = s.direct.Flush()
	default:
		err = s.engine.Write(s.collect(u.items)...)
	}
	s.forget()
	if err == nil {
		s.written(u.items)
	}
	return err
}

// collect returns the messages of the packets. They are valid until forget.
func (s *Session) collect(items []*outgoing) []Message {
	for _, o := range items {
		s.batch = append(s.batch, o.messages...)
	}
	return s.batch
}

// forget releases the messages of collect to the garbage collector.
func (s *Session) forget() {
	clear(s.batch)
	s.batch = s.batch[:0]
}

// written counts packets that were written.
func (s *Session) written(items []*outgoing) {
	size := uint64(0)
	for _, o := range items {
		size += uint64(o.size)
		s.conn.observeWritten(int(o.size))
	}
	s.conn.counters.sent.Add(uint64(len(items)))
	s.conn.counters.sentBytes.Add(size)
}

// disconnect writes the queued packets, sends DISCONNECT and closes the engine
// gracefully.
func (s *Session) disconnect() {
	s.left = true
	s.queue.close()
	s.cancel()
	for u := s.queue.takeAll(); len(u.items) > 0; u = s.queue.takeAll() {
		err := s.write(u)
		s.queue.wrote(u.items, err, false)
		if err != nil {
			return
		}
	}
	p := socketio.Packet{Type: socketio.Disconnect, Namespace: s.namespace, ID: socketio.NoID}
	if s.engine.Write(Message{Data: p.Append(nil)}) != nil {
		return
	}
	if s.engine.Close(closeTimeout) == nil {
		s.awaitReader()
	}
}
