package engineio

import (
	"context"
	"fmt"
	"net"
	"time"
)

// An upgrade moves an open session from polling to websocket ("Upgrade" in the
// protocol). While packets flow by polling, a websocket is opened beside it and
// tried out with a ping. Then the reader asks for no more by polling, and the
// writer's lock shows that no post is on its way: what both ends have sent is
// complete, and everything after the upgrade packet goes over the websocket.

const (
	probeTimeout = 10 * time.Second // for the websocket to prove itself

	// A server gives an upgrade up that takes long, 10 s by default: one that the
	// reader finds after this time is let go.
	upgradeTimeout = 5 * time.Second
)

// A candidate is a websocket that has proved itself.
type candidate struct {
	ws    *webSocket
	since time.Time // when its opening began
}

// startUpgrade opens the websocket. Its goroutine ends with the session, or
// within probeTimeout.
func (s *Session) startUpgrade(o Options) {
	s.transport.(*polling).pause = s.canSwitch // before the first Read
	go func() {
		ctx, cancel := context.WithTimeout(s.ctx, probeTimeout)
		defer cancel()
		since := time.Now()
		ws, err := probe(ctx, o, s.handshake.sid)
		if err != nil {
			return // the session stays where it is
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed {
			ws.closeNow()
			return
		}
		s.upgraded = &candidate{ws, since}
	}()
}

// probe opens a websocket to the session and tries it out.
func probe(ctx context.Context, o Options, sid string) (*webSocket, error) {
	ws, err := dialWebSocket(ctx, o, requestURL(o, WebSocket, sid))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, ws.closeNow)
	err = ws.write([]packet{{kind: ping, data: []byte("probe")}})
	var answer packet
	if err == nil {
		answer, err = ws.read()
	}
	if err == nil && (answer.kind != pong || string(answer.data) != "probe") {
		err = fmt.Errorf("probe answered with a packet of type %q", byte(answer.kind))
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

// canSwitch reports whether there is a websocket to switch over to.
func (s *Session) canSwitch() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.upgraded != nil && time.Since(s.upgraded.since) > upgradeTimeout {
		s.upgraded.ws.closeNow()
		s.upgraded = nil
	}
	return s.upgraded != nil
}

// switchOver moves the session to the websocket. It is called by the reader,
// which has read what came by polling to its end.
func (s *Session) switchOver() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	ws, old := s.upgraded.ws, s.transport
	s.transport, s.upgraded = ws, nil
	ws.readUntil(s.silent)
	s.mu.Unlock()

	old.closeNow()
	s.reading = ws
	return ws.write([]packet{{kind: upgrade}})
}
