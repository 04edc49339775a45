package conn_test

import (
	"context"
	"fmt"
	"time"

	"github.com/seed67206a74/parley/conn"
)

// connectExample returns a connection to a server that acknowledges "echo" and
// sends one "ping" after "room:enter".
func connectExample(cfg conn.Config) (ctx context.Context, c *conn.Conn, stop func(), err error) {
	url, stopServer := serveExample()
	c, err = conn.New(url+"/admin", cfg)
	if err != nil {
		stopServer()
		return nil, nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	return ctx, c, func() {
		c.Close()
		cancel()
		stopServer()
	}, nil
}

// Two events that belong together are sent on the same session.
func ExampleConn_Do() {
	ctx, c, stop, err := connectExample(conn.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	go c.Run(ctx)
	err = c.Do(ctx, func(ctx context.Context, s *conn.Session) error {
		if err := s.Emit(ctx, "begin"); err != nil {
			return err
		}
		var reply string
		err := s.Call(ctx, &reply, "echo", "hello")
		fmt.Println(reply, s.Epoch())
		return err
	})
	fmt.Println(err)
	// Output:
	// hello 1
	// <nil>
}

// Shutdown waits for work that lasts longer than one call. The work may still
// make calls of its own.
func ExampleConn_Hold() {
	ctx, c, stop, err := connectExample(conn.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	go c.Run(ctx)
	working, release, err := c.Hold(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	down := make(chan error)
	go func() { down <- c.Shutdown(ctx) }()
	reply, err := conn.Call[string](working, c, "echo", "still here")
	fmt.Println(reply, err)
	release()
	fmt.Println(<-down)
	// Output:
	// still here <nil>
	// <nil>
}

// counter counts the pings of an epoch. Its methods are called by the
// connection's reader, in wire order.
type counter struct {
	epoch  uint64
	pings  int
	counts chan string
}

func (c *counter) Active() bool { return true }
func (c *counter) Close()       { close(c.counts) }

func (c *counter) Receive(_ context.Context, p conn.Payload) error {
	if p.Epoch() != c.epoch { // pings may have been lost
		c.epoch, c.pings = p.Epoch(), 0
	}
	c.pings++
	c.counts <- fmt.Sprintf("ping %d of epoch %d", c.pings, c.epoch)
	return nil
}

// A listener keeps state across sessions. It compares epochs to detect that
// events may have been lost.
func ExampleConn_UpdateRoutes() {
	ctx, c, stop, err := connectExample(conn.Config{OnConnect: func(ctx context.Context, s *conn.Session) error {
		return s.Emit(ctx, "room:enter")
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	pings := &counter{counts: make(chan string, 16)}
	c.UpdateRoutes(nil, []conn.Route{{Name: "ping", Listener: pings}})
	go c.Run(ctx)
	fmt.Println(<-pings.counts)
	// Output: ping 1 of epoch 1
}
