package chat

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"sync"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
)

func discardServer(t testing.TB) string {
	upgrader := websocket.Upgrader{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		_ = ws.WriteMessage(websocket.TextMessage, []byte(wiretest.OpenPacket))
		_, _, _ = ws.ReadMessage()
		_ = ws.WriteMessage(websocket.TextMessage, []byte(`40{"sid":"socket-1"}`))
		_, _ = io.Copy(io.Discard, ws.NetConn())
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func BenchmarkSendMessage(b *testing.B) {
	client, err := New(discardServer(b), quick(Config{Meta: map[string]any{"tenant": "acme"}}))
	if err != nil { b.Fatal(err) }
	defer client.Close()
	go client.Run(b.Context())
	if err := client.Ready(b.Context()); err != nil { b.Fatal(err) }
	m := events.UserMessage{MessageID: "m1", UserID: user, Text: "Hello, how are you today? Tell me something.", RequestID: "req-1234"}
	b.Run("1", func(b *testing.B) {
		b.ReportAllocs(); defer reportCPU(b)()
		for b.Loop() {
			if err := client.SendMessage(b.Context(), m); err != nil { b.Fatal(err) }
		}
	})
	b.Run("emit", func(b *testing.B) {
		b.ReportAllocs(); defer reportCPU(b)()
		type T struct{ A string `json:"a"`; B int `json:"b"`; C []string }
		v := T{"hello", 12, []string{"x", "y"}}
		for b.Loop() {
			if err := client.Conn().Emit(b.Context(), "custom", v); err != nil { b.Fatal(err) }
		}
	})
	b.Run("64", func(b *testing.B) {
		b.ReportAllocs(); defer reportCPU(b)()
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for range b.N/64 {
					if err := client.SendMessage(b.Context(), m); err != nil { b.Error(err); return }
				}
			})
		}
		wg.Wait()
	})
	b.Run("gorilla", func(b *testing.B) {
		ws, _, err := websocket.DefaultDialer.Dial("ws"+discardServer(b)[4:], nil)
		if err != nil { b.Fatal(err) }
		defer ws.Close()
		_, _, _ = ws.ReadMessage()
		_ = ws.WriteMessage(1, []byte("40"))
		_, _, _ = ws.ReadMessage()
		frame := []byte(`42["user:message",{"chatId":"room-1","tenant":"acme","requestId":"req-1234","messageId":"m1","userId":"u1","text":"Hello, how are you today? Tell me something."}]`)
		b.ReportAllocs(); defer reportCPU(b)()
		for b.Loop() {
			if err := ws.WriteMessage(1, frame); err != nil { b.Fatal(err) }
		}
	})
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs(); defer reportCPU(b)()
		for b.Loop() {
			client.base.with(m).AppendArg(make([]byte, 0, 512), nil)
		}
	})
}
