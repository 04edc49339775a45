package conn_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
)

// serveExample is a minimal server for one client. It implements the part of
// the namespace /admin that the examples use.
func serveExample() (url string, stop func()) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		send := func(frame string) { _ = ws.WriteMessage(websocket.TextMessage, []byte(frame)) }
		send(wiretest.OpenPacket)
		for {
			_, data, err := ws.ReadMessage()
			if err != nil {
				return
			}
			frame := strings.TrimPrefix(string(data), "4")
			switch {
			case strings.HasPrefix(frame, "0/admin"):
				send(`40/admin,{"sid":"socket-1"}`)
			case strings.HasPrefix(frame, `2/admin,["room:enter"`):
				send(`42/admin,["ping",{"n":1}]`)
			case strings.HasPrefix(frame, `2/admin,0["echo",`):
				send(`43/admin,0[` + strings.TrimPrefix(frame, `2/admin,0["echo",`))
			case strings.HasPrefix(frame, `2/admin,["ask me"]`):
				send(`42/admin,7["ai:tool_call",{"toolName":"clock"}]`)
			case strings.HasPrefix(frame, "3/admin,7"):
				send(`42/admin,["thanks","` + strings.NewReplacer(`"`, `'`).Replace(frame[len("3/admin,7"):]) + `"]`)
			}
		}
	}))
	return server.URL, server.Close
}

// A connection to any Socket.IO server.
func Example() {
	url, stop := serveExample()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	c, err := conn.New(url+"/admin", conn.Config{
		OnConnect: func(ctx context.Context, s *conn.Session) error {
			return s.Emit(ctx, "room:enter", map[string]string{"room": "a"})
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	type ping struct{ N int }
	pings := conn.On[ping](c, "ping").Chan(ctx)
	go c.Run(ctx)
	if err := c.Ready(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.State().Phase, (<-pings).N, c.Emit(ctx, "hi"))
	// Output: ready 1 <nil>
}

// An event that waits for its acknowledgement.
func ExampleCall() {
	url, stop := serveExample()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := conn.New(url+"/admin", conn.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	go c.Run(ctx)

	reply, err := conn.Call[map[string]int](ctx, c, "echo", map[string]int{"answer": 42})
	fmt.Println(reply["answer"], err)
	// Output: 42 <nil>
}

// The result of a function is the acknowledgement of the server's event.
func ExampleHandle() {
	url, stop := serveExample()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := conn.New(url+"/admin", conn.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	type call struct{ ToolName string }
	remove := conn.Handle(c, "ai:tool_call", func(_ context.Context, call call) (string, error) {
		return call.ToolName + " says noon", nil
	})
	defer remove()
	thanks := conn.On[string](c, "thanks").Chan(ctx)
	go c.Run(ctx)
	if err := c.Emit(ctx, "ask me"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(<-thanks)
	// Output: ['clock says noon']
}
