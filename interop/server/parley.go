package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/seed67206a74/parley/internal/sioserver"
)

// A request is a received HTTP request.
type request struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Key    string `json:"key"`

	sid, extensions string
}

// recorder records all requests in front of a handler.
type recorder struct {
	http.Handler
	mu       sync.Mutex
	requests []request
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	r.requests = append(r.requests, request{
		Method:     q.Method,
		URL:        q.URL.RequestURI(),
		Key:        q.Header.Get("X-Key"),
		sid:        q.URL.Query().Get("sid"),
		extensions: q.Header.Get("Sec-WebSocket-Extensions"),
	})
	r.mu.Unlock()
	r.Handler.ServeHTTP(w, q)
}

// of returns the requests of an Engine.IO session after its handshake.
func (r *recorder) of(sid string) []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := []request{}
	for _, q := range r.requests {
		if q.sid == sid {
			found = append(found, q)
		}
	}
	return found
}

// parley returns the backend on internal/sioserver.
func parley(s settings) http.Handler {
	cfg := sioserver.Config{
		PingInterval: s.pingInterval,
		PingTimeout:  s.pingTimeout,
		Compress:     s.compress,
		MaxPayload:   1e7,
		Origins:      []string{"*"},
	}
	if s.recovery {
		cfg.Recovery = 2 * time.Minute
	}
	io := sioserver.New(cfg)
	b := &parleyBackend{recorder: &recorder{Handler: io}, compress: s.compress}
	refuse := func(message, code string) error {
		return &sioserver.ConnectError{Message: message, Data: map[string]string{"code": code}}
	}
	h := sioserver.Handlers{Connect: func(s *sioserver.Socket) { s.Data = &received{} }, Event: b.event}
	io.Namespace("/custom", h)
	h.Admit = func(s *sioserver.Socket) error {
		var auth struct{ Token any }
		if s.Auth != nil && json.Unmarshal(s.Auth, &auth) == nil && auth.Token == "bad" {
			return refuse("not authorised", "E_AUTH")
		}
		return nil
	}
	b.main = io.Namespace("/", h)
	h.Admit = func(*sioserver.Socket) error { return refuse("members only", "E_MEMBER") }
	io.Namespace("/refused", h)
	return b.recorder
}

type parleyBackend struct {
	*recorder
	main     *sioserver.Namespace
	compress bool
}

// received holds the numbers that a socket has sent.
type received struct{ numbers []json.RawMessage }

// event handles an event as conformance.js does.
func (b *parleyBackend) event(e *sioserver.Event) {
	s := e.Socket
	values := e.Values()
	switch e.Name {
	case "echo":
		if e.WantsAck {
			_ = e.Ack(values...)
		} else {
			_ = s.Emit("echo", values...)
		}
	case "types":
		_ = e.Ack(typeOf(decoded(e)))
	case "date":
		_ = e.Ack("2026-11-22T10:20:30.400Z")
	case "surrogates":
		_ = e.Ack(json.RawMessage(`"\ud83d"`), json.RawMessage(`"a\udc00b"`), json.RawMessage(`"\ud83d\ude00"`))
	case "same":
		var text string
		var codes []rune
		_, _ = e.Decode(0, &text), e.Decode(1, &codes)
		_ = e.Ack(text == string(codes))
	case "slow":
		go func() { // ends soon
			time.Sleep(300 * time.Millisecond)
			_ = e.Ack(values...)
		}()
	case "ack then leave", "kick":
		s.Disconnect()
	case "ask":
		var name string
		_ = e.Decode(0, &name)
		go b.ask(e, name, values[1:]) // ends with the reply
	case "flood":
		var count int
		_ = e.Decode(0, &count)
		for n := range count {
			_ = s.Emit("n", n)
		}
	case "n":
		h := s.Data.(*received)
		h.numbers = append(h.numbers, e.Args[0])
	case "heard":
		_ = e.Ack(append([]json.RawMessage{}, s.Data.(*received).numbers...))
	case "handshake":
		_ = e.Ack(b.handshake(s))
	case "requests":
		_ = e.Ack(b.of(s.SessionID()))
	case "cut":
		s.Close(1000, "")
	case "cut and say":
		var count int
		_ = e.Decode(0, &count)
		s.Join("room")
		_ = s.Emit("n", 0)
		time.Sleep(50 * time.Millisecond)
		s.Close(1000, "")
		for n := range count {
			_ = b.main.Emit([]string{"room"}, "n", n+1)
		}
	case "say to the room":
		_ = b.main.Emit([]string{"room"}, "n", values...)
	case "binary":
		_ = e.Ack(positions()...)
	case "binary event":
		_ = s.Emit("binary", positions()...)
	}
}

func (b *parleyBackend) ask(e *sioserver.Event, name string, args []any) {
	reply, err := e.Socket.Call(e.Socket.Context(), name, args...)
	if err != nil {
		_ = e.Ack("no answer")
		return
	}
	values := make([]any, len(reply.Args))
	for i := range values {
		_ = reply.Decode(i, &values[i])
	}
	_ = e.Ack(map[string]any{"reply": values})
}

func (b *parleyBackend) handshake(s *sioserver.Socket) map[string]any {
	extensions := s.Request.Header.Get("Sec-WebSocket-Extensions")
	for _, q := range b.of(s.SessionID()) {
		extensions += q.extensions
	}
	if !b.compress || !strings.Contains(extensions, "permessage-deflate") {
		extensions = ""
	} else {
		extensions = "permessage-deflate"
	}
	return map[string]any{
		"id": s.ID, "namespace": s.Namespace().Name, "auth": s.Auth, "query": flat(s.Request.URL.Query()),
		"transport": s.Transport(), "extensions": extensions,
	}
}

func flat(query url.Values) map[string]string {
	one := map[string]string{}
	for name := range query {
		one[name] = query.Get(name)
	}
	return one
}

func decoded(e *sioserver.Event) any {
	values := make([]any, len(e.Args))
	for i := range values {
		_ = e.Decode(i, &values[i])
	}
	return values
}

// positions returns a value for each position that bytes can be in.
func positions() []any {
	return []any{
		[]byte{1},
		map[string]any{"nested": map[string]any{"list": []any{"text", []byte{2}, []any{[]byte{3, 3}}}}, "empty": []byte{}},
		[]any{[]byte{4}, nil, []byte{5}},
		"text",
	}
}

// typeOf names the types of a value as JavaScript does.
func typeOf(v any) any {
	switch v := v.(type) {
	case []byte:
		first := ""
		if len(v) > 0 {
			first = fmt.Sprint(v[0])
		}
		return fmt.Sprintf("bytes:%d:%s", len(v), first)
	case []any:
		types := []any{}
		for _, each := range v {
			types = append(types, typeOf(each))
		}
		return types
	case map[string]any:
		types := map[string]any{}
		for name, each := range v {
			types[name] = typeOf(each)
		}
		return types
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	}
	return "number"
}
