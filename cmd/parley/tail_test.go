package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// price sends three events with two names.
func price(ctx context.Context, r chattest.Received) (any, error) {
	for _, err := range []error{
		r.Socket.Emit(ctx, "price", "gold", 42.5),
		r.Socket.Emit(ctx, "news\x1b[2J", map[string]string{"title": "up\nand down"}),
		r.Socket.Emit(ctx, "price", []byte("bytes")),
	} {
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func TestTail_printsServerEvents(t *testing.T) {
	server := chattest.NewServer(chattest.Config{})
	defer server.Close()
	server.Handle("enter", price)
	lines, leave := startTail(t, server.URL, "-auth", `{"token":"t"}`, "-join", "enter", "-payload", `{"id":7}`)

	assert.Equal(t, []string{
		`price "gold" 42.5`,
		"news\uFFFD[2J " + `{"title":"up\nand down"}`,
		`price {"_placeholder":true,"num":0} [attachment 0: 5 bytes]`,
	}, lines(3), "control characters are replaced")
	assert.Equal(t, map[string]any{"token": "t"}, server.Sockets()[0].Auth)
	server.Expect(t, "enter", map[string]any{"id": 7})
	assert.Equal(t, success, leave())
}

func TestTail_filtersByEventName(t *testing.T) {
	server := chattest.NewServer(chattest.Config{})
	defer server.Close()
	server.Handle("enter", price)
	lines, leave := startTail(t, server.URL, "-join", "enter", "price")
	assert.Equal(t, []string{
		`price "gold" 42.5`, `price {"_placeholder":true,"num":0} [attachment 0: 5 bytes]`,
	}, lines(2))
	assert.Equal(t, success, leave())
}

func TestTail_usesNamespaceOfURL(t *testing.T) {
	asked := make(chan string, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Send(wiretest.OpenPacket)
		asked <- p.Receive()
		p.Send(`40/admin,{"sid":"s1"}`)
		p.Send(`42["elsewhere",1]`)
		p.Send(`42/admin,["here",2]`)
		p.UntilGone()
	})
	lines, leave := startTail(t, url+"/admin")
	assert.Equal(t, []string{"here 2"}, lines(1))
	assert.Equal(t, "40/admin,", <-asked)
	assert.Equal(t, success, leave())
}

func TestTail_endsOnServerDisconnect(t *testing.T) {
	server := chattest.NewServer(chattest.Config{})
	defer server.Close()
	server.Handle("enter", func(_ context.Context, r chattest.Received) (any, error) {
		r.Socket.Disconnect()
		return nil, nil
	})
	code, out, complaints := runCommand(t, "", "tail", "-json", server.URL, "-join", "enter")
	assert.Equal(t, failure, code)
	assert.Equal(t, "parley tail: "+conn.ErrDisconnected.Error()+"\n", complaints)
	all := records(t, out)
	assert.Equal(t, "stopped", all[len(all)-1].State)
	assert.Equal(t, conn.ErrDisconnected.Error(), all[len(all)-1].Error)
}

// startTail starts the program. lines returns its next n events without their
// times, and leave ends it.
func startTail(t *testing.T, arguments ...string) (lines func(n int) []string, leave func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() { // ends with leave or with the test
		code := run(ctx, append([]string{"tail"}, arguments...), streams{in: strings.NewReader(""), out: in, err: io.Discard})
		in.Close()
		ended <- code
	}()
	t.Cleanup(cancel)
	scanner := bufio.NewScanner(out)
	lines = func(n int) (events []string) {
		for len(events) < n {
			require.True(t, scanner.Scan())
			if _, event, _ := strings.Cut(scanner.Text(), " "); !strings.HasPrefix(event, "--") {
				events = append(events, event)
			}
		}
		return events
	}
	leave = func() int {
		cancel()
		_, err := io.Copy(io.Discard, out)
		require.NoError(t, err)
		return <-ended
	}
	return lines, leave
}
