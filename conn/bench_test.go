package conn_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
)

// flood is the number of tokens that the server sends, as fast as TCP accepts
// them.
const flood = 300_000

const tokenFrame = `42["ai:token",{"chatId":"room-1","token":"hello ","index":12,"requestId":"req-1234"}]`

// BenchmarkFlood compares the path of a token through conn with the shortest
// loop by hand for the same server. The loop reads a frame, decodes it into the
// same struct and sends it to a channel. The two alternate, so other load on
// the machine affects both. One operation is a flood of each. The metrics are
// per token, and the rate of conn in percent of the loop's.
func BenchmarkFlood(b *testing.B) {
	url := serveFlood(b)
	var byHand, byConn time.Duration
	var mallocs uint64
	for b.Loop() {
		start := time.Now()
		floodByHand(b, url)
		byHand += time.Since(start)

		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start = time.Now()
		floodConn(b, url)
		byConn += time.Since(start)
		runtime.ReadMemStats(&after)
		mallocs += after.Mallocs - before.Mallocs
	}
	tokens := float64(b.N) * flood
	b.ReportMetric(0, "ns/op") // says nothing here
	b.ReportMetric(float64(byHand.Nanoseconds())/tokens, "ns/token-by-hand")
	b.ReportMetric(float64(byConn.Nanoseconds())/tokens, "ns/token-conn")
	b.ReportMetric(float64(mallocs)/tokens, "allocs/token-conn")
	b.ReportMetric(100*float64(byHand)/float64(byConn), "%-of-by-hand")
}

func floodByHand(b *testing.B, url string) {
	ws, _, err := websocket.DefaultDialer.Dial("ws"+url[len("http"):], nil)
	if err != nil {
		b.Fatal(err)
	}
	defer ws.Close()
	if _, _, err := ws.ReadMessage(); err != nil { // open
		b.Fatal(err)
	}
	if err := ws.WriteMessage(websocket.TextMessage, []byte("40")); err != nil {
		b.Fatal(err)
	}
	if _, _, err := ws.ReadMessage(); err != nil { // CONNECT
		b.Fatal(err)
	}

	tokens := make(chan events.AIToken, 128)
	go func() {
		defer close(tokens)
		for range flood {
			_, frame, err := ws.ReadMessage()
			if err != nil {
				b.Error(err)
				return
			}
			payload := frame[len(`42["ai:token",`) : len(frame)-1]
			var token events.AIToken
			if err := json.Unmarshal(payload, &token); err != nil {
				b.Error(err)
				return
			}
			tokens <- token
		}
	}()
	receiveAll(b, tokens)
}

func floodConn(b *testing.B, url string) {
	c, err := conn.New(url, conn.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	tokens := conn.On[events.AIToken](c, "ai:token").Subscribe(b.Context(), bus.Limit(flood))
	go c.Run(b.Context())
	receiveAll(b, tokens.C())
}

func receiveAll(b *testing.B, tokens <-chan events.AIToken) {
	for n := range flood {
		token, ok := <-tokens
		if !ok || token.Index != 12 {
			b.Fatalf("token %d: %+v, open %v", n, token, ok)
		}
	}
}

// serveFlood is a raw websocket server: it accepts the handshake, then writes
// the tokens as prepared frames, many in one write.
func serveFlood(b *testing.B) string {
	frame := append([]byte{0x81, byte(len(tokenFrame))}, tokenFrame...)
	batch := bytes.Repeat(frame, 1000)
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
		for range flood / 1000 {
			if _, err := ws.NetConn().Write(batch); err != nil {
				return
			}
		}
		_ = ws.WriteMessage(websocket.TextMessage, []byte(`42["last",1]`))
		_, _, _ = ws.ReadMessage() // the client leaves
	}))
	b.Cleanup(server.Close)
	return server.URL
}

// BenchmarkNoSubscriber receives a flood without a subscriber: it measures the
// cost of a frame.
func BenchmarkNoSubscriber(b *testing.B) {
	url := serveFlood(b)
	var took time.Duration
	var mallocs uint64
	for b.Loop() {
		c, err := conn.New(url, conn.Config{})
		if err != nil {
			b.Fatal(err)
		}
		last := conn.On[int](c, "last").Chan(b.Context())
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		go c.Run(b.Context())
		<-last
		took += time.Since(start)
		runtime.ReadMemStats(&after)
		mallocs += after.Mallocs - before.Mallocs
		_ = c.Close()
	}
	tokens := float64(b.N) * flood
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took.Nanoseconds())/tokens, "ns/token")
	b.ReportMetric(float64(mallocs)/tokens, "allocs/token")
}
