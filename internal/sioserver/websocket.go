package sioserver

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/internal/engineio"
)

// openWebSocket serves a session that begins as a websocket, until it ends.
func (e *engine) openWebSocket(w http.ResponseWriter, r *http.Request) {
	ws, err := e.server.upgrade(w, r)
	if err != nil {
		e.cancel()
		return // the upgrader has answered
	}
	defer ws.Close()
	e.mu.Lock()
	e.ws = ws
	e.mu.Unlock()
	if e.start() {
		e.serveWebSocket(ws)
	}
}

// upgrade upgrades a request to a websocket.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) (*websocket.Conn, error) {
	ws, err := s.upgrader.Upgrade(w, r, http.Header{"Set-Cookie": w.Header()["Set-Cookie"]})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(s.cfg.MaxPayload)
	return ws, nil
}

// serveWebSocket reads from the websocket of a session until it ends. The
// writer is a goroutine that has ended when serveWebSocket returns.
func (e *engine) serveWebSocket(ws *websocket.Conn) {
	written := make(chan struct{})
	go func() { // ends when the session is finished, or with the websocket
		defer close(written)
		e.writeWebSocket(ws)
	}()
	e.finish(e.readWebSocket(ws))
	<-written
}

// readWebSocket handles packets until the websocket fails, and returns why the
// session ends.
func (e *engine) readWebSocket(ws *websocket.Conn) Reason {
	for {
		p, err := e.readFrame(ws)
		if err != nil {
			if _, ok := errors.AsType[*engineio.ProtocolError](err); ok {
				return ReasonParseError
			}
			if _, ok := errors.AsType[*websocket.CloseError](err); ok || errors.Is(err, io.EOF) {
				return ReasonTransportClose
			}
			return ReasonTransportError
		}
		e.receive(p) // a session that is ending waits for the client's close frame
	}
}

func (e *engine) readFrame(ws *websocket.Conn) (engineio.Packet, error) {
	kind, r, err := ws.NextReader()
	if err != nil {
		return engineio.Packet{}, err
	}
	limit := e.server.cfg.MaxPayload
	data, err := io.ReadAll(io.LimitReader(r, limit+1)) // the limit of ws is for compressed bytes
	if err != nil {
		return engineio.Packet{}, err
	}
	if int64(len(data)) > limit {
		sendCloseFrame(ws, closeSession{code: websocket.CloseMessageTooBig})
		return engineio.Packet{}, websocket.ErrReadLimit
	}
	if kind == websocket.BinaryMessage {
		return engineio.Packet{Type: engineio.TypeMessage, Binary: true, Data: data}, nil
	}
	return engineio.ParsePacket(data)
}

// writeWebSocket writes queued packets until the session or the websocket ends.
func (e *engine) writeWebSocket(ws *websocket.Conn) {
	for {
		e.mu.Lock()
		packets, how, finished := e.take(), e.ending, e.finished
		var change <-chan struct{}
		if len(packets) == 0 && how == nil {
			change = e.change()
		}
		e.mu.Unlock()
		if finished {
			return
		}
		for _, p := range packets {
			if writeFrame(ws, p) != nil {
				ws.Close() // ends the reader
				return
			}
		}
		switch {
		case len(packets) > 0:
			continue
		case how != nil:
			if say, ok := how.(closeSession); ok {
				sendCloseFrame(ws, say) // the client's close frame ends the reader
			} else {
				ws.Close()
			}
			return
		}
		select {
		case <-change:
		case <-e.ctx.Done():
			return
		}
	}
}

func writeFrame(ws *websocket.Conn, p engineio.Packet) error {
	ws.EnableWriteCompression(len(p.Data) >= compressFrom)
	if p.Binary {
		return ws.WriteMessage(websocket.BinaryMessage, p.Data)
	}
	return ws.WriteMessage(websocket.TextMessage, p.AppendText(make([]byte, 0, 1+len(p.Data))))
}

// sendCloseFrame sends a close frame.
func sendCloseFrame(ws *websocket.Conn, say closeSession) {
	frame := websocket.FormatCloseMessage(say.code, say.text)
	// If the write fails, the client sees a broken connection.
	_ = ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(time.Second))
}
