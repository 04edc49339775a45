package sioserver

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/seed67206a74/parley/internal/engineio"
)

const (
	// noopInterval is how often a GET is answered during an upgrade.
	noopInterval = 100 * time.Millisecond

	compressFrom = 1 << 10 // shorter bodies and messages are not compressed
)

// serveGet waits for packets and sends them. A second GET at the same time ends
// the session.
func (e *engine) serveGet(w http.ResponseWriter, r *http.Request) {
	release, ok := e.reserve(&e.getting, func() bool { return true })
	if !ok {
		refuse(w, badRequest)
		return
	}
	defer release()
	packets, last := e.poll(r.Context())
	if len(packets) == 0 {
		panic(http.ErrAbortHandler) // net/http closes the connection
	}
	if err := e.writeBody(w, r, engineio.AppendPayload(nil, packets)); err != nil {
		e.finish(ReasonTransportError)
	}
	if last {
		e.finish(ReasonServerClose)
	}
}

// poll waits for the packets that answer a GET. If there are none, the caller
// breaks the connection. last reports that the session ends with them.
func (e *engine) poll(ctx context.Context) (packets []engineio.Packet, last bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		_, closing := e.ending.(closeSession)
		switch {
		case e.finished && e.lastPacket == 0:
			return nil, true
		case e.finished:
			return []engineio.Packet{{Type: e.lastPacket}}, true
		case e.ws != nil: // the queue belongs to the websocket
			return []engineio.Packet{{Type: engineio.TypeNoop}}, false
		case closing:
			return append(e.take(), engineio.Packet{Type: engineio.TypeClose}), true
		case len(e.queue) > 0:
			return e.take(), false
		case e.ending != nil:
			return nil, true
		case e.probed && !time.Now().Before(e.nextNoop):
			e.nextNoop = time.Now().Add(noopInterval)
			return []engineio.Packet{{Type: engineio.TypeNoop}}, false
		}
		var noop <-chan time.Time
		if e.probed {
			noop = time.After(time.Until(e.nextNoop))
		}
		change := e.change()
		e.mu.Unlock()
		select {
		case <-change:
		case <-noop:
		case <-ctx.Done():
			e.finish(ReasonTransportError)
		}
		e.mu.Lock()
	}
}

// take empties the queue; e.mu is held.
func (e *engine) take() []engineio.Packet {
	packets := e.queue
	e.queue = nil
	return packets
}

// writeBody writes the response to a GET.
func (e *engine) writeBody(w http.ResponseWriter, r *http.Request, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	h.Set("Cache-Control", "no-store")
	if e.server.cfg.Compress && len(body) >= compressFrom && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		var compressed bytes.Buffer
		z := gzip.NewWriter(&compressed)
		_, _ = z.Write(body) // a bytes.Buffer does not fail
		_ = z.Close()
		body = compressed.Bytes()
		h.Set("Content-Encoding", "gzip")
	}
	if _, err := w.Write(body); err != nil {
		return err
	}
	if err := http.NewResponseController(w).Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// servePost handles the packets of a POST. A second POST at the same time ends
// the session, and so does a body that cannot be read or parsed.
func (e *engine) servePost(w http.ResponseWriter, r *http.Request) {
	release, ok := e.reserve(&e.posting, func() bool { return e.ending == nil })
	if !ok {
		refuse(w, badRequest)
		return
	}
	defer release()
	// A client may be slow to send its body. The end of the session ends the
	// wait.
	defer context.AfterFunc(e.ctx, func() { _ = http.NewResponseController(w).SetReadDeadline(time.Now()) })()

	if r.Header.Get("Content-Type") == "application/octet-stream" { // of revision 3
		e.finish(ReasonParseError)
		refuse(w, badRequest)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, e.server.cfg.MaxPayload))
	if err != nil {
		e.finish(ReasonTransportError)
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			http.Error(w, "payload too large", http.StatusRequestEntityTooLarge)
			return
		}
		refuse(w, badRequest)
		return
	}
	for p, err := range engineio.Packets(bytes.NewReader(body), e.server.cfg.MaxPayload) {
		if err != nil {
			e.finish(ReasonParseError)
			refuse(w, badRequest)
			return
		}
		if !e.receive(p) {
			break // packets after the end of the session are not read
		}
	}
	w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(w, "ok") // if the client is gone, its next poll is missing
}

// reserve marks a kind of request as busy until release is called. It reports
// false if the session has ended, uses websocket, or may not take the request;
// allowed is called with mu held. A second request of a kind ends the session.
func (e *engine) reserve(busy *bool, allowed func() bool) (release func(), ok bool) {
	e.mu.Lock()
	duplicate := e.ws == nil && *busy
	ok = e.ws == nil && !e.finished && !*busy && allowed()
	if ok {
		*busy = true
	}
	e.mu.Unlock()
	if duplicate {
		e.finish(ReasonTransportError)
	}
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		*busy = false
	}, ok
}
