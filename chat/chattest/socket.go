package chattest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/sioserver"
)

// ErrGone is returned by methods of a Socket whose client is no longer
// connected.
var ErrGone = errors.New("chattest: client is not connected")

// A Socket is one client of the backend, for as long as its session lasts.
// [SocketFromContext] returns the Socket of the client that asked, a [Received]
// has its sender, and [Server.Sockets] lists all. Its methods are safe for
// concurrent use and may be called from any goroutine, also from an Answer or a
// Handler.
type Socket struct {
	ID        string         // session id of the client
	Namespace string         // "/" or one of Config.Namespaces
	Auth      map[string]any // of its CONNECT packet, numbers as json.Number; nil without one
	Query     url.Values     // of its handshake, with the protocol's own parameters
	Header    http.Header    // of its handshake

	server *Server
	io     *sioserver.Socket
	userID events.ID // under Server.mu; none until it is known
}

// UserID returns the client's user: the userId of its auth, else the first
// userId in its events, else the zero ID.
func (k *Socket) UserID() events.ID {
	k.server.mu.Lock()
	defer k.server.mu.Unlock()
	return k.userID
}

// Recovered reports whether the client's session has been recovered.
func (k *Socket) Recovered() bool { return k.io.Recovered() }

// Transport returns the client's current transport, conn.WebSocket or
// conn.Polling, or "" if it is not connected.
func (k *Socket) Transport() string { return k.io.Transport() }

// Emit sends the client an event of any name and shape. Each []byte in args, at
// any depth, is sent as a binary attachment, everything else as encoding/json
// encodes it. Emit does not block, and events arrive in the order in which they
// were sent, those of an Answer included. After ctx has ended it sends nothing
// and returns the error of ctx: with the ctx of an Answer, nothing follows its
// abort. Other errors are [ErrGone], and those of the encoding.
func (k *Socket) Emit(ctx context.Context, name string, args ...any) error {
	k.server.mu.Lock()
	defer k.server.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return gone(k.io.Emit(name, args...))
}

func gone(err error) error {
	if errors.Is(err, sioserver.ErrGone) {
		return ErrGone
	}
	return err
}

// Call sends an event, waits for its acknowledgement and returns the first
// argument, or null if there is none. [Socket.CallReply] returns all arguments.
// Decode it with encoding/json. Call fails when ctx ends, and with [ErrGone] as
// soon as the connection ends.
func (k *Socket) Call(ctx context.Context, name string, args ...any) (json.RawMessage, error) {
	reply, err := k.CallReply(ctx, name, args...)
	if err != nil {
		return nil, err
	}
	return Received{Args: reply.Args}.payload(), nil
}

// A Reply is the acknowledgement of an event by a client.
type Reply struct {
	Args []json.RawMessage // bytes as a string of base64

	reply sioserver.Reply
}

// Bytes returns an argument that was sent as bytes. It returns false for any
// other argument, including a string of base64.
func (r Reply) Bytes(arg int) ([]byte, bool) { return r.reply.Bytes(arg) }

// CallReply sends an event and waits for its acknowledgement, as [Socket.Call]
// does.
func (k *Socket) CallReply(ctx context.Context, name string, args ...any) (Reply, error) {
	k.server.mu.Lock()
	call, err := (*sioserver.Call)(nil), ctx.Err()
	if err == nil {
		call, err = k.io.Send(name, args...)
	}
	k.server.mu.Unlock()
	if err != nil {
		return Reply{}, gone(err)
	}
	reply, err := call.Wait(ctx)
	if err != nil {
		return Reply{}, gone(err)
	}
	return Reply{inlined(reply.Args, reply.Attachments), reply}, nil
}

// CloseNow breaks the client's connection, as a failing network does. Events
// that were sent before are written first, unless that takes longer than a
// second. Later ones are lost without Config.Recovery. The client may
// reconnect.
func (k *Socket) CloseNow() { k.io.CloseNow() }

// Close closes the client's connection with a websocket close code and a text,
// or with an Engine.IO close packet over long-polling. The client may
// reconnect.
func (k *Socket) Close(code int, text string) { k.io.Close(code, text) }

// Disconnect disconnects the client with a DISCONNECT packet, after everything
// that was sent before. By default, a client does not reconnect then.
func (k *Socket) Disconnect() {
	k.server.mu.Lock()
	defer k.server.mu.Unlock()
	k.io.Disconnect()
}
