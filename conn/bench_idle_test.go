package conn_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
)

// idleServer is an environment variable. If it is set, the test binary runs the
// server of BenchmarkIdle. In its own process the server is not measured.
const idleServer = "PARLEY_IDLE_SERVER"

// BenchmarkIdle reports the cost of an idle connection to the client: heap,
// stacks and goroutines, including the goroutine that called Run.
func BenchmarkIdle(b *testing.B) {
	const connections = 1000
	url := startIdleServer(b)
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		before := measure()
		all := make([]*conn.Conn, connections)
		for i := range all {
			c, err := conn.New(url, conn.Config{})
			if err != nil {
				b.Fatal(err)
			}
			all[i] = c
			go c.Run(ctx) // ends with c
		}
		for _, c := range all {
			if err := c.Ready(ctx); err != nil {
				b.Fatal(err)
			}
		}
		after := measure()
		b.ReportMetric(float64(after.heap-before.heap)/connections, "heap-B/conn")
		b.ReportMetric(float64(after.stacks-before.stacks)/connections, "stack-B/conn")
		b.ReportMetric(float64(after.goroutines-before.goroutines)/connections, "goroutines/conn")
		for _, c := range all {
			_ = c.Close()
		}
		cancel()
	}
}

type footprint struct{ heap, stacks, goroutines int64 }

// measure collects garbage until pools are empty, which takes several
// collections.
func measure() footprint {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return footprint{int64(m.HeapAlloc), int64(m.StackInuse), int64(runtime.NumGoroutine())}
}

func startIdleServer(b *testing.B) string {
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), idleServer+"=1")
	server.Stderr = os.Stderr
	stdout, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdin, err := server.StdinPipe() // when it closes, the server ends
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = server.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// serveIdle accepts clients and keeps their connections idle until stdin is
// closed.
func serveIdle() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("http://" + listener.Addr().String())
	upgrader := websocket.Upgrader{ReadBufferSize: 512, WriteBufferSize: 512}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		_ = ws.WriteMessage(websocket.TextMessage, []byte(wiretest.OpenPacket))
		_, _, _ = ws.ReadMessage()
		_ = ws.WriteMessage(websocket.TextMessage, []byte(`40{"sid":"socket-1"}`))
		_, _, _ = ws.ReadMessage()
	})}
	go server.Serve(listener) // ends with the process
	_, _ = os.Stdin.Read(make([]byte, 1))
}
