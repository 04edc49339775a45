package zishang

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/seed67206a74/parley/conn"
	"github.com/zishang520/socket.io/clients/engine/v3"
)

// A gate delays the first transport of a session until the listeners are added.
// Without it the client opens the transport earlier, and with a fast server the
// open event is lost. The client also reads before it can write, and a message
// that is sent on the open event may be stuck. So the session waits for ready.
//
// A gate also selects the first transport. The client keeps the transports in a
// set, and starts with any of them.
type gate struct {
	opened chan struct{}
	ready  chan struct{} // closed when the first transport's Open has returned
	begun  atomic.Bool   // the first transport has been created

	mu     sync.Mutex
	closed bool
}

func newGate() *gate { return &gate{opened: make(chan struct{}), ready: make(chan struct{})} }

// open lets the first transport open.
func (g *gate) open() { close(g.opened) }

// close closes a transport that is opening, and prevents others from opening.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

func (g *gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

var kinds = map[string]engine.TransportCtor{
	conn.WebSocket: &engine.WebSocketBuilder{},
	conn.Polling:   &engine.PollingBuilder{},
	WebTransport:   &engine.WebTransportBuilder{},
}

// A builder creates the transports of a session. The first transport is of the
// kind first, and waits at the gate; later ones are of the builder's kind.
type builder struct {
	gate  *gate
	kind  engine.TransportCtor
	first engine.TransportCtor
}

func (g *gate) builder(name, first string) (*builder, error) {
	kind, begin := kinds[name], kinds[first]
	if kind == nil || begin == nil {
		return nil, fmt.Errorf("zishang: unknown transport %q", name)
	}
	return &builder{g, kind, begin}, nil
}

func (b *builder) Name() string { return b.kind.Name() }

func (b *builder) New(s engine.Socket, options engine.SocketOptionsInterface) engine.Transport {
	if b.gate.begun.Swap(true) {
		return b.kind.New(s, options)
	}
	query := options.Query()
	query.Set("transport", b.first.Name())
	options.SetQuery(query)
	return &held{b.first.New(s, options), b.gate}
}

// held is a transport that opens when the gate opens.
type held struct {
	engine.Transport
	gate *gate
}

// Open opens the transport in a goroutine, which ends when the dial ends. The
// client cannot cancel the dial. The session waits until ready is closed.
func (h *held) Open() engine.Transport {
	go func() {
		defer close(h.gate.ready)
		<-h.gate.opened
		if h.gate.isClosed() {
			return
		}
		h.Transport.Open()
		if h.gate.isClosed() {
			h.Transport.DoClose()
		}
	}()
	return h
}
