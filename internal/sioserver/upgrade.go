package sioserver

import (
	"context"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/internal/engineio"
)

// serveUpgrade serves a websocket that is opened to a long-polling session. If
// it completes the upgrade, it carries the session until that ends; else the
// session stays with long-polling.
func (e *engine) serveUpgrade(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	ok := e.ws == nil && !e.upgrading && !e.finished && e.ending == nil
	if ok {
		e.upgrading = true
	}
	e.mu.Unlock()
	if !ok { // one websocket for each session
		refuse(w, badRequest)
		return
	}
	ws, err := e.server.upgrade(w, r)
	if err != nil { // the upgrader has answered
		e.stayPolling()
		return
	}
	defer ws.Close()
	defer context.AfterFunc(e.ctx, func() { ws.Close() })()
	_ = ws.SetReadDeadline(time.Now().Add(e.server.cfg.UpgradeTimeout)) // reading fails then
	if !e.probe(ws) {
		e.stayPolling()
		return
	}
	_ = ws.SetReadDeadline(time.Time{})
	e.serveWebSocket(ws)
}

// probe answers the client's probe and waits for its upgrade packet. When the
// packet arrives, the websocket becomes the session's transport.
func (e *engine) probe(ws *websocket.Conn) bool {
	p, err := e.readFrame(ws)
	if err != nil || p.Type != engineio.TypePing || string(p.Data) != "probe" {
		return false
	}
	// The waiting poll is answered, so that the client can pause polling.
	e.mu.Lock()
	e.probed, e.nextNoop = true, time.Time{}
	e.signal()
	e.mu.Unlock()
	if writeFrame(ws, engineio.Packet{Type: engineio.TypePong, Data: p.Data}) != nil {
		return false
	}
	if p, err = e.readFrame(ws); err != nil || p.Type != engineio.TypeUpgrade {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.finished || e.ending != nil {
		return false
	}
	e.ws, e.upgrading, e.probed = ws, false, false
	e.signal()
	return true
}

// stayPolling abandons an upgrade.
func (e *engine) stayPolling() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.upgrading, e.probed = false, false
}
