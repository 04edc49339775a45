package chattest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/zishang520/socket.io/servers/socket/v3"
)

// admit asks Config.Auth about a client, and returns once the library has
// answered its CONNECT.
//
// The library answers in another goroutine, and that goroutine notes only
// afterwards that the client is in. This one is the one that reads from the
// client. Were it to go on, it could find the client's next packet first, take
// it for one from a stranger, and cut the connection.
func (s *Server) admit(client *socket.Socket, next func(*socket.ExtendedError)) {
	if client.Recovered() { // it comes here only when it is gone again
		next(nil)
		return
	}
	auth := client.Handshake().Auth
	if s.cfg.Auth != nil {
		if err := s.cfg.Auth(auth); err != nil {
			next(refusal(err))
			return
		}
	}

	request := client.Request().Request()
	in := make(chan struct{})
	k := &Socket{
		ID:     string(client.Id()),
		Auth:   auth,
		Query:  request.URL.Query(),
		Header: request.Header.Clone(),
		server: s,
		inbox:  newInbox(),
		in:     in,
		let:    sync.OnceFunc(func() { close(in) }),
		userID: idOf(auth["userId"]),
	}
	client.SetData(k)
	s.mu.Lock()
	s.sockets = append(s.sockets, k) // before the client can know that it is in
	s.mu.Unlock()
	// A client that is gone before it is in never gets to connected. The state
	// changes before the event, so one of the two is seen.
	_ = client.Conn().Once("close", func(...any) { k.let() })
	if client.Conn().ReadyState() != "open" {
		k.let()
	}
	next(nil)
	<-in
	s.mu.Lock()
	stranger := k.ctx == nil
	s.mu.Unlock()
	if stranger {
		s.forget(k)
	}
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

// connected takes in a client that has been admitted, or is back.
func (s *Server) connected(args ...any) {
	client := args[0].(*socket.Socket)
	k := client.Data().(*Socket)
	defer k.let()

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	if client.Recovered() {
		s.restore(k, client)
		return
	}
	k.ctx, k.left = context.WithCancel(s.ctx)
	if s.cfg.Recovery > 0 {
		k.log = &eventLog{}
	}
	k.attach(client)
	s.running.Go(func() { // ends when the client is gone and its events are dealt with, or on Close
		k.inbox.work(s.ctx)
		k.left()
		s.forget(k)
	})
}

// attach gives k a connection; s.mu is held.
func (k *Socket) attach(client *socket.Socket) {
	ctx, broken := context.WithCancel(k.ctx)
	k.conn = link{client, ctx}
	// The library may hold locks of its own when it says that a client is gone,
	// locks that a send waits for while it holds s.mu. So the rest is done by who
	// works off the inbox, after what is still to be received.
	detached := sync.OnceFunc(func() { k.inbox.put(func() { k.server.detached(k, client) }) })
	var once sync.Once // a connection that ends for two reasons at a time is said to be gone twice
	gone := func(reason ...any) {
		once.Do(func() {
			broken()
			if !k.mayReturn(reason) {
				k.left()
			}
			client.Enqueue(detached)
			time.AfterFunc(time.Second, detached) // should the other reason have closed the library's queue
		})
	}
	client.OnAny(func(args ...any) { k.server.receive(k, args) })
	_ = client.On("disconnecting", gone)
	if client.Disconnected() { // before anybody listened
		gone()
		detached()
	}
}

// detached draws the consequences of a connection that has ended.
func (s *Server) detached(k *Socket, client *socket.Socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case k.conn.socket != client: // it was back sooner
	case k.ctx.Err() != nil:
		k.inbox.close()
	default:
		s.await(k)
	}
}

// Sockets returns the clients that are connected, in the order in which they came.
func (s *Server) Sockets() []*Socket {
	s.mu.Lock()
	all := slices.Clone(s.sockets)
	s.mu.Unlock()
	for _, k := range all {
		<-k.in
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(all, func(k *Socket) bool { return k.ctx == nil || k.conn.ctx.Err() != nil })
}
