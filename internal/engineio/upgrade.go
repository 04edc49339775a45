package engineio

import (
	"context"
	"fmt"
	"net"
	"time"
)

// An upgrade moves an open session from polling to websocket ("Upgrade" in the
// protocol):
//
//  1. While packets flow by polling, a websocket is opened and probed by a
//     ping.
//  2. The reader reads its poll to the end, and sends no other GET.
//  3. It takes the writers' lock, so no POST is in progress. All packets that
//     were sent by polling have now arrived, in both directions.
//  4. It sends the upgrade packet. All later packets use the websocket.

const (
	probeTimeout = 10 * time.Second // for opening and probing the websocket

	// A server cancels a slow upgrade, by default after 10 s. The reader closes
	// a websocket that is older than upgradeTimeout.
	upgradeTimeout = 5 * time.Second
)

// A candidate is a websocket that has passed its probe.
type candidate struct {
	ws    *webSocket
	since time.Time // when its dial began
}

// hasEnded reports whether the server has closed the websocket. Before the
// upgrade packet it sends nothing else.
func (c *candidate) hasEnded() bool { return len(c.ws.first) > 0 }

// startUpgrade opens the websocket in a goroutine, which ends within
// probeTimeout, or with the first read after the probe.
func (s *Session) startUpgrade(o Options) {
	s.transport.(*polling).pause = s.canSwitch // before the first Read
	go func() {
		ctx, cancel := context.WithTimeout(s.ctx, probeTimeout)
		defer cancel()
		since := time.Now()
		ws, err := probe(ctx, o, s.handshake.sid)
		if err != nil {
			return // the session keeps polling
		}
		first := make(chan firstRead, 1)
		ws.first = first
		s.control(ws)
		s.mu.Lock()
		if s.closed {
			ws.closeNow()
		}
		s.upgraded = &candidate{ws, since}
		s.mu.Unlock()
		p, err := ws.readNext()
		first <- firstRead{p, err}
	}()
}

// probe opens a websocket to the session, and sends a ping over it.
func probe(ctx context.Context, o Options, sid string) (*webSocket, error) {
	ws, err := dialWebSocket(ctx, o, requestURL(o, WebSocket, sid))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, ws.closeNow)
	err = ws.write([]packet{{kind: ping, data: []byte("probe")}})
	var reply packet
	if err == nil {
		reply, err = ws.read()
	}
	if err == nil && (reply.kind != pong || string(reply.data) != "probe") {
		err = fmt.Errorf("unexpected reply to the probe: packet of type %q", byte(reply.kind))
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		ws.closeNow()
		return nil, err
	}
	return ws, nil
}

// canSwitch reports whether a websocket is ready. It closes a websocket that is
// too old.
func (s *Session) canSwitch() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.upgraded != nil && time.Since(s.upgraded.since) > upgradeTimeout {
		s.upgraded.ws.closeNow()
		s.upgraded = nil
	}
	return s.upgraded != nil
}

// switchOver moves the session to the websocket. The reader calls it after it
// has read the last poll to its end. If the server has closed the websocket, or
// it takes no upgrade packet, the session keeps polling.
func (s *Session) switchOver() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	ws, ended := s.upgraded.ws, s.upgraded.hasEnded()
	s.mu.Unlock()

	var err error
	if !ended {
		err = ws.write([]packet{{kind: upgrade}})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.upgraded = nil
	if ended || err != nil || s.closed {
		ws.closeNow()
		return nil // a closed session fails with the next read
	}
	old := s.transport
	s.transport, s.reading = ws, ws
	ws.readUntil(s.deadline)
	old.closeNow()
	return nil
}
