package chathttp

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/seed67206a74/parley/events"
)

var (
	plainSSE = protocol{
		parse:       parsePlain,
		contentType: "text/event-stream",
		encoder: func(out *frames, e *entry, cfg *Config) encoder {
			return &sseEncoder{plain{out: out, cfg: cfg, requestID: e.requestID}}
		},
	}
	plainNDJSON = protocol{
		parse:       parsePlain,
		contentType: "application/x-ndjson",
		headers:     func(h http.Header, e *entry) { h.Set("X-Request-Id", e.requestID) },
		encoder: func(out *frames, e *entry, cfg *Config) encoder {
			return &ndjsonEncoder{plain{out: out, cfg: cfg, requestID: e.requestID}}
		},
	}
)

// SSE asks a question and streams its answer as server-sent events, for an
// EventSource.
//
//	mux.HandleFunc("GET /api/sse", server.SSE)
//
// The query has text and chatId. A request with the header Last-Event-ID asks
// nothing: it continues the answer after that event. After the end of the
// answer, its status is 204, and the EventSource stops. With POST, the body is
// that of NDJSON.
func (s *Server) SSE(w http.ResponseWriter, r *http.Request) {
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		request, n, _ := strings.Cut(last, ".")
		s.resume(w, r, plainSSE, request, r.URL.Query().Get("chatId"), false, position(n))
		return
	}
	s.answerQuestion(w, r, plainSSE)
}

// NDJSON asks a question and streams its answer as lines of JSON. The body of
// the request is {"chatId", "text", "parts"}, each of them optional.
//
//	mux.HandleFunc("POST /api/ndjson", server.NDJSON)
//	mux.HandleFunc("GET /api/ndjson/{id}", server.ResumeNDJSON)
func (s *Server) NDJSON(w http.ResponseWriter, r *http.Request) { s.answerQuestion(w, r, plainNDJSON) }

// ResumeNDJSON streams the answer of a request or the last one of a chat. The
// query after is the member n of the last line that the reader has. If there is
// no answer, the status is 204.
func (s *Server) ResumeNDJSON(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	s.resume(w, r, plainNDJSON, id, id, true, position(r.URL.Query().Get("after")))
}

// parsePlain reads a question from the body, or from the query of a GET.
func parsePlain(r *http.Request, body []byte) (question, error) {
	if r.Method == http.MethodGet {
		query := r.URL.Query()
		return question{chatID: query.Get("chatId"), text: query.Get("text")}, nil
	}
	var request struct {
		ChatID string        `json:"chatId"`
		Text   string        `json:"text"`
		Parts  []events.Part `json:"parts"`
	}
	err := json.Unmarshal(body, &request)
	return question{request.ChatID, request.Text, request.Parts}, err
}

// plain is the common part of the two plain encoders.
type plain struct {
	out       *frames
	cfg       *Config
	requestID string
	n         int // frames so far
}

// sseEncoder writes server-sent events. No event has the name error, which an
// EventSource uses for lost connections.
type sseEncoder struct{ plain }

func (e *sseEncoder) heartbeat() { e.out.comment() }

func (e *sseEncoder) begin() { e.send("begin", object{"requestId": e.requestID}) }

func (e *sseEncoder) event(event events.Event) { e.send(event.Key().DefaultName(), withTextID(event)) }

func (e *sseEncoder) end(err error) {
	if err != nil {
		e.send(events.KeyAIError.DefaultName(), e.cfg.problemOf(err))
	}
}

func (e *sseEncoder) send(name string, data any) {
	e.n++
	e.out.line("id: "+e.requestID+"."+strconv.Itoa(e.n)+"\nevent: "+name+"\ndata: ", data, "\n\n")
}

// ndjsonEncoder writes lines of JSON.
type ndjsonEncoder struct{ plain }

func (e *ndjsonEncoder) heartbeat() { e.out.buf = append(e.out.buf, '\n') }

func (e *ndjsonEncoder) begin() { e.send("begin", object{"requestId": e.requestID}) }

func (e *ndjsonEncoder) event(event events.Event) {
	e.send(event.Key().DefaultName(), withTextID(event))
}

func (e *ndjsonEncoder) end(err error) {
	if err != nil {
		e.send("error", e.cfg.problemOf(err))
		return
	}
	e.send("end", object{"requestId": e.requestID})
}

func (e *ndjsonEncoder) send(kind string, data any) {
	e.n++
	e.out.line("", line{e.n, kind, data}, "\n")
}

type line struct {
	N    int    `json:"n"`
	Type string `json:"type"`
	Data any    `json:"data"`
}

// withTextID returns the event with its chat id as a string, because JavaScript
// rounds large integers.
func withTextID(event events.Event) events.Event {
	id := event.Envelope().ChatID
	if id.IsZero() {
		return event
	}
	id = events.StringID(id.String())
	switch event := event.(type) {
	case events.AIProcessing:
		event.ChatID = id
		return event
	case events.AIToken:
		event.ChatID = id
		return event
	case events.AIToolCall:
		event.ChatID = id
		return event
	case events.AIToolResult:
		event.ChatID = id
		return event
	case events.AIMessage:
		event.ChatID = id
		return event
	}
	return event
}
