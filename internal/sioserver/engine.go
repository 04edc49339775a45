package sioserver

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/internal/engineio"
)

// An engine is one Engine.IO session. Packets to the client are queued. The
// waiting poll or the writer of the websocket takes them from the queue.
type engine struct {
	server  *Server
	sid     string
	request *http.Request // of the handshake
	client  *client

	ctx    context.Context // ends when the session is finished
	cancel context.CancelFunc

	receiving sync.Mutex // held while packets of the client are handled

	mu        sync.Mutex
	queue     []engineio.Packet
	changed   chan struct{}   // closed by the next change; nil if nothing waits
	ws        *websocket.Conn // nil for long-polling
	getting   bool            // a GET waits for packets
	posting   bool            // a POST is being read
	upgrading bool            // a websocket is opened beside long-polling
	probed    bool            // that websocket has sent its probe
	nextNoop  time.Time       // when a GET beside the upgrade is answered next
	heartbeat *time.Timer
	deadline  *time.Timer // finishes a session that is ending
	pongDue   bool
	ending    ending // nil while the session is open
	reason    Reason // of the ending
	finished  bool

	// lastPacket is the type of the packet for the GET that waits when the
	// session is finished. 0 breaks the connection of the GET.
	lastPacket byte
}

// An ending is how a session ends once its queue is written.
type ending interface{ isEnding() }

// breakConnection closes the TCP connection without a message.
type breakConnection struct{}

// closeSession sends a websocket close frame, or an Engine.IO close packet to a
// poll.
type closeSession struct {
	code int // websocket close code
	text string
}

func (breakConnection) isEnding() {}
func (closeSession) isEnding()    {}

func newEngine(s *Server, r *http.Request) *engine {
	e := &engine{server: s, sid: rand.Text(), request: r, lastPacket: engineio.TypeClose}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.client = newClient(e)
	return e
}

// start registers the session and queues its open packet. It returns false
// after Server.Close.
func (e *engine) start() bool {
	e.mu.Lock()
	transport := Polling
	if e.ws != nil {
		transport = WebSocket
	}
	e.queue = append(e.queue, e.server.handshake(e.sid, transport))
	e.heartbeat = time.AfterFunc(e.server.cfg.PingInterval, e.beat)
	e.mu.Unlock()
	e.client.start()
	if !e.server.register(e) {
		e.finish(ReasonServerShutdown)
		return false
	}
	return true
}

// send queues packets. After the session has begun to end it does nothing.
func (e *engine) send(packets ...engineio.Packet) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ending != nil || e.finished {
		return
	}
	e.queue = append(e.queue, packets...)
	e.signal()
}

// signal wakes all goroutines that wait for a change; e.mu is held.
func (e *engine) signal() {
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
}

// change returns the channel that the next signal closes; e.mu is held.
func (e *engine) change() <-chan struct{} {
	if e.changed == nil {
		e.changed = make(chan struct{})
	}
	return e.changed
}

// beat sends a ping, or ends a session that has not answered the last one.
func (e *engine) beat() {
	e.mu.Lock()
	if e.ending != nil || e.finished {
		e.mu.Unlock()
		return
	}
	if e.pongDue {
		e.mu.Unlock()
		e.finish(ReasonPingTimeout)
		return
	}
	e.pongDue = true
	e.queue = append(e.queue, engineio.Packet{Type: engineio.TypePing})
	e.signal()
	e.heartbeat.Reset(e.server.cfg.PingTimeout)
	e.mu.Unlock()
}

// receive handles one packet of the client. It returns false when the session
// has ended. Calls do not overlap.
func (e *engine) receive(p engineio.Packet) bool {
	e.receiving.Lock()
	defer e.receiving.Unlock()
	if e.over() {
		return false
	}
	switch p.Type {
	case engineio.TypeMessage:
		e.client.message(p.Data, p.Binary)
	case engineio.TypePong:
		// A pong before its ping counts too, as with npm's engine.io: a client
		// whose reader is blocked sends it when the ping should have arrived.
		e.mu.Lock()
		if !e.finished {
			e.pongDue = false
			e.heartbeat.Reset(e.server.cfg.PingInterval)
		}
		e.mu.Unlock()
	case engineio.TypeClose:
		e.mu.Lock()
		e.lastPacket = engineio.TypeNoop
		e.mu.Unlock()
		e.finish(ReasonTransportClose)
	case engineio.TypePing: // only the server sends pings
		e.finish(ReasonTransportError)
	}
	return !e.over()
}

// over reports whether the session has begun to end.
func (e *engine) over() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ending != nil || e.finished
}

// end ends the session in the given way after its queue is written, which may
// take CloseTimeout.
func (e *engine) end(reason Reason, how ending) {
	e.mu.Lock()
	if e.ending != nil || e.finished {
		e.mu.Unlock()
		return
	}
	e.ending, e.reason = how, reason
	if _, broken := how.(breakConnection); broken {
		e.lastPacket = 0
	}
	e.deadline = time.AfterFunc(e.server.cfg.CloseTimeout, func() { e.finish(reason) })
	e.signal()
	e.mu.Unlock()
	e.client.closed(reason)
}

// finish ends the session at once. Queued packets are lost.
func (e *engine) finish(reason Reason) {
	e.mu.Lock()
	if e.finished {
		e.mu.Unlock()
		return
	}
	e.finished = true
	e.queue = nil
	if e.ending != nil {
		reason = e.reason // the client may reply to the ending before end returns
	}
	if e.heartbeat != nil {
		e.heartbeat.Stop()
	}
	if e.deadline != nil {
		e.deadline.Stop()
	}
	ws := e.ws
	e.signal()
	e.mu.Unlock()
	e.cancel()
	e.server.unregister(e)
	if ws != nil {
		ws.Close()
	}
	e.client.closed(reason)
}

// transport returns the name of the current transport, and its websocket if it
// has one.
func (e *engine) transport() (string, *websocket.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ws != nil {
		return WebSocket, e.ws
	}
	return Polling, nil
}
