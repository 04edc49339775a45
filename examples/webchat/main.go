// Webchat is a chat in the browser with React and the AI SDK (useChat). The Go
// program asks the questions of all visitors with one client, and streams the
// answers with chat/chathttp.
//
//	go run ./examples/webchat       # then open http://localhost:8080, in two tabs
//	go run ./examples/webchat -backend https://chat.example.com
//
// Without -backend it starts a mock backend in its own process.
//
//   - server.go: the visitors and the routes.
//   - page: the source of the page. Its build is in dist, and is embedded.
//
// To change the page, run this program and, in the folder page, npm ci and npm
// run dev; then npm run build.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/examples/internal/usage"
	"github.com/seed67206a74/parley/internal/mockserver"
)

func main() {
	usage.Set("webchat [flags]", "Webchat is a chat in the browser with React and the AI SDK.")
	addr := flag.String("addr", "localhost:8080", "the TCP `address` to serve on")
	backend := flag.String("backend", "", "the chat backend's `URL`; if empty, a mock backend is started in this process")
	flag.Parse()
	usage.NoArguments()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *addr, *backend); err != nil {
		fmt.Fprintln(os.Stderr, "webchat:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, out io.Writer, addr, backend string) error {
	if backend == "" {
		stop, url, err := startMock()
		if err != nil {
			return err
		}
		defer stop()
		backend = url
	}
	client, err := newClient(backend)
	if err != nil {
		return err
	}
	defer client.Close()
	lost := make(chan error, 1)
	go func() { lost <- client.Run(ctx) }() // ends with client.Close

	web, err := newServer(client)
	if err != nil {
		return err
	}
	defer web.Close()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler(web), ReadHeaderTimeout: 10 * time.Second}
	defer server.Close()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }() // ends with server.Close
	fmt.Fprintf(out, "webchat: open http://%s\n", listener.Addr())
	fmt.Fprintf(out, "webchat: backend: %s, %s\n", backend, describe(ctx, client))
	select {
	case err := <-served:
		return err
	case err := <-lost: // nil after ctx has ended; an error if the backend refuses the client
		return err
	}
}

// describe waits up to 2 s for the backend, and returns its state.
func describe(ctx context.Context, client *chat.Client) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if client.Ready(ctx) == nil {
		return "connected"
	}
	return fmt.Sprint("not connected yet: ", client.Health())
}

// newClient returns the client that asks the questions of all visitors.
func newClient(backend string) (*chat.Client, error) {
	client, err := chat.New(backend, chat.Config{
		NoJoin: true, // chathttp joins the rooms of questions
		Conn: conn.Config{
			// The mock backend calls the tools that are named here.
			Auth: func(context.Context) (any, error) { return map[string]any{"tools": []string{"clock"}}, nil },
		},
	})
	if err != nil {
		return nil, err
	}
	chat.HandleTool(client, "clock", clock)
	return client, nil
}

// clock is a tool that the backend may call.
func clock(_ context.Context, in struct{ Zone string }) (map[string]string, error) {
	zone, err := time.LoadLocation(in.Zone)
	if err != nil {
		return nil, err
	}
	return map[string]string{"time": time.Now().In(zone).Format("15:04:05"), "zone": zone.String()}, nil
}

// startMock starts a mock backend.
func startMock() (stop func(), url string, err error) {
	cfg := mockserver.Defaults()
	cfg.Addr = "localhost:0"
	backend, err := mockserver.Start(cfg)
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { // ends with stop
		defer close(ended)
		_ = backend.Run(ctx) // an error only after a restart, which is a fault
	}()
	return func() {
		cancel()
		<-ended
	}, backend.URL(), nil
}
