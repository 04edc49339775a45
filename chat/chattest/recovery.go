package chattest

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// maxLogged is how many events are kept for a client that may come back.
const maxLogged = 4096

// An eventLog is what a client was sent, the oldest first, each event with its
// offset as its last argument.
type eventLog struct {
	events []logged
	count  int // of all that there were
}

type logged struct {
	offset string
	name   string
	args   []any
}

// add logs an event, and returns its arguments with the offset. An event that
// is to be acknowledged is not sent again, and so not logged.
func (l *eventLog) add(name string, args []any) []any {
	if n := len(args); n > 0 {
		if _, acknowledged := args[n-1].(socket.Ack); acknowledged {
			return args
		}
	}
	offset := strconv.Itoa(l.count)
	l.count++
	args = append(slices.Clone(args), offset)
	if len(l.events) == maxLogged {
		l.events[0] = logged{}
		l.events = l.events[1:]
	}
	l.events = append(l.events, logged{offset, name, args})
	return args
}

// after returns what was logged after the event of an offset, if that is known.
func (l *eventLog) after(offset string) (missed []logged, known bool) {
	i := slices.IndexFunc(l.events, func(e logged) bool { return e.offset == offset })
	if i < 0 {
		return nil, false
	}
	return l.events[i+1:], true
}

// mayReturn reports whether a client whose connection has ended, for the reason
// that the library gives, may come back to its session.
func (k *Socket) mayReturn(reason []any) bool {
	if k.server.cfg.Recovery <= 0 || len(reason) == 0 {
		return false
	}
	text, _ := reason[0].(string)
	return socket.RECOVERABLE_DISCONNECT_REASONS.Has(text)
}

// await gives a client that is away its time; s.mu is held. To the others in its
// rooms it is not there.
func (s *Server) await(k *Socket) {
	s.tellRooms(k)
	k.expiry = time.AfterFunc(s.cfg.Recovery, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case k.conn.ctx.Err() == nil: // it is back
		case k.returning: // it has been on its way; once more, should it not have arrived
			k.returning = false
			k.expiry.Reset(s.cfg.Recovery)
		default:
			k.left()
			k.inbox.close()
		}
	})
}

// restore gives a client that is back what it has missed; s.mu is held.
func (s *Server) restore(k *Socket, client *socket.Socket) {
	missed, known := k.log.after(k.offset)
	if k.ctx.Err() != nil || !known { // it was put out meanwhile, or is too far behind by now
		client.Disconnect(false)
		return
	}
	k.returning = false
	if k.expiry != nil {
		k.expiry.Stop()
	}
	k.attach(client)
	for _, e := range missed {
		_ = k.write(e.name, e.args...)
	}
	s.tellRooms(k)
}

// A sessionKeeper is the library's adapter, but for recovery. The library's own
// loses what is sent between its look into its log and the moment the client
// is in. Here the log is the Socket's, and both happen in one step.
type sessionKeeper struct {
	socket.Adapter
	server *Server
	target *socket.Socket // whom the next Broadcast is for; under Server.mu

	mu    sync.Mutex // not Server.mu: the library may hold locks of its own
	known map[socket.PrivateSessionId]*Socket
}

// New is socket.AdapterConstructor: there is one namespace.
func (a *sessionKeeper) New(nsp socket.Namespace) socket.Adapter {
	a.Adapter = socket.MakeAdapter()
	a.Prototype(a)
	a.Construct(nsp)
	return a
}

// Broadcast brings an event to the client that it is for. The library would look
// the client up by its id, and may not find one that is back: when a connection ends for two
// reasons at a time, it takes the id off its lists twice, the second time perhaps
// from the connection that has it now.
func (a *sessionKeeper) Broadcast(packet *parser.Packet, _ *socket.BroadcastOptions) {
	packet.Nsp = a.Nsp().Name()
	a.target.Client().WriteToEngine(a.server.io.Encoder().Encode(packet), &socket.WriteOptions{})
}

// PersistSession notes that a client is away.
func (a *sessionKeeper) PersistSession(session *socket.SessionToPersist) {
	if k, ok := session.Data.(*Socket); ok {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.known[session.Pid] = k
	}
}

// RestoreSession gives a client its session back. What it has missed is sent
// when it is in.
func (a *sessionKeeper) RestoreSession(pid socket.PrivateSessionId, offset string) (*socket.Session, error) {
	a.mu.Lock()
	k := a.known[pid]
	a.mu.Unlock()
	if k == nil {
		return nil, nil
	}
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	if _, known := k.log.after(offset); !known || k.ctx.Err() != nil || k.conn.socket.Connected() {
		return nil, nil
	}
	k.offset, k.returning = offset, true
	return &socket.Session{SessionToPersist: &socket.SessionToPersist{
		Sid: socket.SocketId(k.ID), Pid: pid, Rooms: types.NewSet[socket.Room](), Data: k,
	}}, nil
}

// forget lets the session of a client go that will not come back.
func (a *sessionKeeper) forget(k *Socket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.known, func(_ socket.PrivateSessionId, other *Socket) bool { return other == k })
}
