package chattest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/seed67206a74/parley/events"
	"github.com/zishang520/socket.io/servers/engine/v3/transports"
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// ErrGone is what a Socket answers whose client is not there any more.
var ErrGone = errors.New("chattest: the client is gone")

// A Socket is one client, as the backend sees it, from the moment it is let in.
// [SocketFromContext] gives an Answer the one that has asked, a [Received] names the one that it
// came from, and [Server.Sockets] lists all. Its methods are safe for concurrent
// use, and may be called from anywhere, an Answer or a Handler for example.
type Socket struct {
	ID     string         // what the client knows as its session id
	Auth   map[string]any // of its CONNECT packet, numbers as json.Number; nil if there was none
	Query  url.Values     // of its handshake, the protocol's own parameters included
	Header http.Header    // of its handshake

	server *Server
	inbox  *inbox
	in     <-chan struct{} // closed when the client is in, or gone before
	let    func()          // closes it, and lets admit return

	ctx  context.Context // ends when the client is gone for good
	left context.CancelFunc

	// Under Server.mu.
	userID events.ID // none until it is known
	conn   link

	// For recovery, under Server.mu too.
	log       *eventLog   // nil without
	expiry    *time.Timer // ends the time to come back; nil as long as the client has not been away
	returning bool        // the client has been promised its session
	offset    string      // that of the last event it knows
}

// A link is the connection that a Socket has, or had last.
type link struct {
	socket *socket.Socket
	ctx    context.Context // ends with the connection
}

// UserID returns who the client is: the userId of its auth, else the first in one
// of its events, else none.
func (k *Socket) UserID() events.ID {
	k.server.mu.Lock()
	defer k.server.mu.Unlock()
	return k.userID
}

// Emit sends the client any event, of any shape, under the name as it is given. An
// argument that is a []byte goes as a binary attachment, any other as
// encoding/json encodes it. Emit does not wait; events arrive in the order in
// which they were sent, those of an Answer included. When ctx has ended it does nothing but
// return its error: with the ctx of an Answer, nothing of it comes after its abort.
// Other errors are [ErrGone], and that of the encoding.
func (k *Socket) Emit(ctx context.Context, name string, args ...any) error {
	args, err := encode(args)
	if err != nil {
		return err
	}
	k.server.mu.Lock()
	defer k.server.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return k.emit(name, args...)
}

// Call is Emit for an event that the client is to acknowledge: it waits for that,
// and returns its first argument, null if there is none. It ends with ctx, and
// with [ErrGone] as soon as the connection does.
func (k *Socket) Call(ctx context.Context, name string, args ...any) (json.RawMessage, error) {
	args, err := encode(args)
	if err != nil {
		return nil, err
	}
	replies := make(chan json.RawMessage, 1)
	acknowledged := func(args []any, _ error) { replies <- Received{Args: jsonOf(args)}.payload() }

	k.server.mu.Lock()
	link := k.conn.ctx
	if err = ctx.Err(); err == nil {
		err = k.emit(name, append(args, acknowledged)...)
	}
	k.server.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case reply := <-replies:
		return reply, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-link.Done():
		return nil, ErrGone
	}
}

// Cut breaks the client's connection without a word, as a failing network would.
// What was sent before is written first, unless that takes longer than a second;
// what is sent after is lost, without Config.Recovery. The client may come back.
func (k *Socket) CloseNow() {
	k.server.mu.Lock()
	link := k.conn
	written := k.written()
	k.server.mu.Unlock()
	patience := time.NewTimer(time.Second)
	defer patience.Stop()
	select {
	case <-written:
	case <-link.ctx.Done():
	case <-patience.C: // the client does not read
	}
	k.server.cutting.Lock()
	defer k.server.cutting.Unlock()
	link.socket.Conn().Close(true)
}

// nobodysAck acknowledges what was never sent. Clients take no notice.
const nobodysAck = "39007199254740991[]"

// written returns what is closed when all that was sent until now is written;
// s.mu is held. The library tells that of an Engine.IO message only, so it is sent
// one more. It may forget to tell until it sends another, so there are two.
func (k *Socket) written() <-chan struct{} {
	written := make(chan struct{})
	told := func(transports.Transport) { close(written) }
	for _, tell := range []func(transports.Transport){told, nil} {
		k.conn.socket.Conn().Write(types.NewStringBufferString(nobodysAck), nil, tell)
	}
	return written
}

// Disconnect disconnects the client with a DISCONNECT packet, after everything that was sent before.
// A client takes that for final, unless it is told otherwise.
//
// The packet is out before the library knows of it: what still comes from a client that
// it has put out it takes for a stranger's, and cuts the connection with all that is not written.
func (k *Socket) Disconnect() {
	k.server.mu.Lock()
	k.left() // first, so that nothing can follow
	k.conn.socket.Conn().Write(types.NewStringBufferString(disconnect), nil, nil)
	written := k.written()
	k.server.mu.Unlock()
	patience := time.NewTimer(time.Second)
	defer patience.Stop()
	select {
	case <-written:
	case <-patience.C: // the client does not read, or is gone
	}
	k.server.mu.Lock()
	defer k.server.mu.Unlock()
	k.conn.socket.Disconnect(false)
}

// disconnect is the DISCONNECT packet of the main namespace. A client that has had one reads no second.
const disconnect = "1"

// emit sends an event, encoded already, or keeps it for a client that may come
// back; s.mu is held. The library queues without waiting.
func (k *Socket) emit(name string, args ...any) error {
	if k.ctx.Err() != nil {
		return ErrGone
	}
	if k.log != nil {
		args = k.log.add(name, args)
	}
	if k.conn.ctx.Err() != nil { // it may come back
		return nil
	}
	return k.write(name, args...)
}

// write sends an event on the present connection; s.mu is held.
func (k *Socket) write(name string, args ...any) error {
	k.server.keeper.target = k.conn.socket
	return k.conn.socket.Emit(name, args...)
}

// encode encodes arguments, all but those that are binary.
func encode(args []any) ([]any, error) {
	out := make([]any, len(args))
	for i, arg := range args {
		if _, binary := arg.([]byte); binary {
			out[i] = arg
			continue
		}
		encoded, err := json.Marshal(arg)
		if err != nil {
			return nil, err
		}
		out[i] = json.RawMessage(encoded)
	}
	return out, nil
}
