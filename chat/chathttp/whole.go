package chathttp

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/seed67206a74/parley/events"
)

// A wholeEncoder can also write an answer as one JSON object.
type wholeEncoder interface {
	encoder
	whole(m events.AIMessage) object
}

// sendWhole waits for an answer and sends it as one object. After an error of
// Ask the status is 503, and after one of the answer 502. The clients of OpenAI
// ask again only if it is known that the question was not sent.
func (s *Server) sendWhole(w http.ResponseWriter, r *http.Request, e *entry, p protocol) {
	out := &frames{rc: http.NewResponseController(w)}
	_ = out.rc.SetReadDeadline(time.Time{}) // as in stream
	var message events.AIMessage
	failed := e.awaitAsked(r.Context(), 0, nil)
	if failed == nil {
		reading := reading{e: e}
		for batch, err := range e.answer.Follow(r.Context(), 0) {
			if !reading.next(batch, err) {
				break
			}
			for _, event := range batch {
				if m, ok := event.(events.AIMessage); ok {
					message = m
				}
			}
		}
		failed = reading.end()
	}
	if failed != nil {
		refused := &refusal{status: http.StatusBadGateway, problem: s.cfg.problemOf(failed), noRetry: true}
		switch {
		case r.Context().Err() != nil:
			refused = errInterrupted
		case e.err != nil: // the question was not asked
			refused = s.cfg.refusalOf(failed)
		}
		_ = out.rc.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout))
		refused.write(w) // fails if the reader has left
		return
	}
	<-e.done
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = out.rc.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout))
	enc := p.encoder(out, e, &s.cfg).(wholeEncoder)
	_ = json.NewEncoder(w).Encode(enc.whole(message)) // fails if the reader has left
}
