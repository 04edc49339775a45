package chathttp

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/seed67206a74/parley/events"
)

// An encoder writes the events of one answer in the form of a protocol. The
// same events give the same frames for each reader.
type encoder interface {
	begin()
	event(event events.Event) // the final message included
	end(err error)            // err is nil after the final message
	heartbeat()
}

// stream writes an answer to a response, without its first skip frames. It
// returns after the last frame. If the reader leaves or the request's context
// ends before, it breaks the connection.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, e *entry, p protocol, skip int) {
	h := w.Header()
	h.Set("Content-Type", p.contentType)
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.headers != nil {
		p.headers(h, e)
	}
	out := &frames{w: w, rc: http.NewResponseController(w), timeout: s.cfg.WriteTimeout, skip: skip}
	// The ReadTimeout of http.Server would end the request's context.
	_ = out.rc.SetReadDeadline(time.Time{}) // not every writer supports it
	enc := p.encoder(out, e, &s.cfg)
	enc.heartbeat() // the first byte
	enc.begin()
	out.flush()
	failed := e.awaitAsked(r.Context(), s.cfg.KeepAlive, func() {
		enc.heartbeat()
		out.flush()
	})
	if failed == nil {
		reading := reading{e: e}
		for batch, err := range e.answer.Follow(r.Context(), s.cfg.KeepAlive) {
			if !reading.next(batch, err) {
				break
			}
			if len(batch) == 0 {
				enc.heartbeat()
			}
			for _, event := range batch {
				enc.event(event)
			}
			if out.err != nil {
				break
			}
			out.flush()
		}
		failed = cmp.Or(out.err, reading.end())
	}
	if failed != nil && out.err == nil && r.Context().Err() != nil {
		cut()
	}
	if out.err == nil {
		<-e.done // a reader who sees the end may ask again
	}
	enc.end(failed)
	out.flush()
	_ = out.rc.SetWriteDeadline(time.Time{}) // for the next request of the connection
}

// cut breaks the connection. If the handler returned instead, the response
// would end as if it were complete. No frame is sent, because a reader who
// resumes counts the frames.
func cut() { panic(http.ErrAbortHandler) }

// hasMore reports whether an ended answer has more than skip frames.
func (s *Server) hasMore(e *entry, p protocol, skip int) bool {
	out := &frames{skip: skip}
	enc := p.encoder(out, e, &s.cfg)
	enc.begin()
	failed := e.err
	if failed == nil {
		reading := reading{e: e}
		for batch, err := range e.answer.Follow(context.Background(), 0) {
			if !reading.next(batch, err) {
				break
			}
			for _, event := range batch {
				enc.event(event)
			}
			if out.taken {
				return true
			}
		}
		failed = reading.end()
	}
	enc.end(failed)
	return out.taken
}

// frames buffers the frames of a response.
type frames struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	timeout time.Duration
	skip    int  // frames that the reader has
	taken   bool // there was a frame that the reader lacks
	buf     []byte
	err     error // of the encoder
}

// flush writes the buffered frames. If the reader has left, or does not read
// within the timeout, it breaks the connection.
func (f *frames) flush() {
	if len(f.buf) == 0 {
		return
	}
	if err := f.rc.SetWriteDeadline(time.Now().Add(f.timeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		cut()
	}
	if _, err := f.w.Write(f.buf); err != nil {
		cut()
	}
	if f.buf = f.buf[:0]; cap(f.buf) > maxBuffer {
		f.buf = nil
	}
	if f.rc.Flush() != nil {
		cut()
	}
}

// maxBuffer is the size of a buffer that a response keeps between writes.
const maxBuffer = 4 << 10

// take counts a frame and reports whether the reader lacks it.
func (f *frames) take() bool {
	if f.skip > 0 {
		f.skip--
		return false
	}
	f.taken = true
	return true
}

// data adds a frame of server-sent events with a value as JSON.
func (f *frames) data(v any) {
	f.line("data: ", v, "\n\n")
}

// line adds a frame with a value as JSON between two texts.
func (f *frames) line(before string, v any, after string) {
	if !f.take() {
		return
	}
	encoded, err := marshal(v)
	if err != nil {
		f.err = err
		return
	}
	f.buf = append(append(append(f.buf, before...), encoded...), after...)
}

// comment adds a comment of server-sent events, which is no frame.
func (f *frames) comment() { f.buf = append(f.buf, ":\n\n"...) }

// done adds the mark that ends the stream in some protocols.
func (f *frames) done() { f.buf = append(f.buf, "data: [DONE]\n\n"...) }

// position parses a number of frames. Any other text is 0.
func position(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// canFlush reports whether a response can be streamed, which a response of
// http.TimeoutHandler cannot.
func canFlush(w http.ResponseWriter) bool {
	for {
		switch writer := w.(type) {
		case http.Flusher, interface{ FlushError() error }:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = writer.Unwrap()
		default:
			return false
		}
	}
}
