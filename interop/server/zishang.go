package server

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// zishang returns the backend on the server of zishang520, as its users write
// it, wrapped in gated. The server reads from a websocket before it registers
// its listener, so it loses the CONNECT of a fast client.
func zishang(s settings) http.Handler {
	options := socket.DefaultServerOptions()
	options.SetServeClient(false)
	options.SetMaxHttpBufferSize(1e7)
	if s.recovery {
		options.SetConnectionStateRecovery(socket.DefaultConnectionStateRecovery())
	}
	if s.compress {
		options.SetPerMessageDeflate(&types.PerMessageDeflate{Threshold: 1024})
	}
	if s.pingInterval > 0 {
		options.SetPingInterval(s.pingInterval)
	}
	if s.pingTimeout > 0 {
		options.SetPingTimeout(s.pingTimeout)
	}
	io := socket.NewServer(nil, options)
	b := &zishangBackend{recorder: &recorder{Handler: gated(io.ServeHandler(nil))}, io: io, compress: s.compress}
	refuse := func(message, code string) *socket.ExtendedError {
		return socket.NewExtendedError(message, map[string]string{"code": code})
	}
	io.Of("/", nil).Use(func(c *socket.Socket, next func(*socket.ExtendedError)) {
		if c.Handshake().Auth["token"] == "bad" {
			next(refuse("not authorised", "E_AUTH"))
			return
		}
		next(nil)
	})
	io.Of("/refused", nil).Use(func(_ *socket.Socket, next func(*socket.ExtendedError)) {
		next(refuse("members only", "E_MEMBER"))
	})
	for _, name := range []string{"/", "/custom", "/refused"} {
		_ = io.Of(name, nil).On("connection", func(args ...any) { b.serve(args[0].(*socket.Socket)) })
	}
	return b.recorder
}

type zishangBackend struct {
	*recorder
	io       *socket.Server
	compress bool
}

// serve handles the events of a client as conformance.js does.
func (b *zishangBackend) serve(c *socket.Socket) {
	var mu sync.Mutex
	numbers := []any{}
	on := func(name string, f func(args []any, ack func(...any))) {
		_ = c.On(name, func(args ...any) {
			ack := func(...any) {}
			if n := len(args) - 1; n >= 0 {
				if reply, ok := args[n].(socket.Ack); ok {
					args, ack = args[:n], func(args ...any) { reply(args, nil) }
				}
			}
			f(args, ack)
		})
	}
	_ = c.On("echo", func(args ...any) {
		if n := len(args) - 1; n >= 0 {
			if reply, ok := args[n].(socket.Ack); ok {
				reply(args[:n], nil)
				return
			}
		}
		_ = c.Emit("echo", args...)
	})
	on("types", func(args []any, ack func(...any)) { ack(typeOf(plain(args))) })
	on("date", func(_ []any, ack func(...any)) { ack("2026-11-22T10:20:30.400Z") })
	// A Go string has no lone surrogates.
	on("surrogates", func(_ []any, ack func(...any)) { ack("\ufffd", "a\ufffdb", "😀") })
	on("same", func(args []any, ack func(...any)) {
		var text []rune
		for _, code := range args[1].([]any) {
			text = append(text, rune(code.(float64)))
		}
		ack(args[0] == string(text))
	})
	on("slow", func(args []any, ack func(...any)) { time.AfterFunc(300*time.Millisecond, func() { ack(args...) }) })
	on("ack then leave", func([]any, func(...any)) { c.Disconnect(false) })
	on("kick", func([]any, func(...any)) { c.Disconnect(false) })
	on("cut", func([]any, func(...any)) { c.Conn().Close(false) })
	on("ask", func(args []any, ack func(...any)) {
		name, _ := args[0].(string)
		reply := func(args []any, err error) {
			if err != nil {
				ack("no answer")
				return
			}
			ack(map[string]any{"reply": args})
		}
		_ = c.Timeout(5*time.Second).Emit(name, append(args[1:len(args):len(args)], socket.Ack(reply))...)
	})
	on("flood", func(args []any, _ func(...any)) {
		for n := range int(args[0].(float64)) {
			_ = c.Emit("n", n)
		}
	})
	on("n", func(args []any, _ func(...any)) {
		mu.Lock()
		defer mu.Unlock()
		numbers = append(numbers, args[0])
	})
	on("heard", func(_ []any, ack func(...any)) {
		mu.Lock()
		defer mu.Unlock()
		ack(append([]any{}, numbers...))
	})
	on("handshake", func(_ []any, ack func(...any)) { ack(b.handshake(c)) })
	on("requests", func(_ []any, ack func(...any)) { ack(b.of(c.Conn().Id())) })
	on("cut and say", func(args []any, _ func(...any)) {
		c.Join("room")
		_ = c.Emit("n", 0)
		time.AfterFunc(50*time.Millisecond, func() {
			c.Conn().Close(false)
			for n := range int(args[0].(float64)) {
				_ = b.io.To("room").Emit("n", n+1)
			}
		})
	})
	on("say to the room", func(args []any, _ func(...any)) { _ = b.io.To("room").Emit("n", args...) })
	on("binary", func(_ []any, ack func(...any)) { ack(positions()...) })
	on("binary event", func([]any, func(...any)) { _ = c.Emit("binary", positions()...) })
}

func (b *zishangBackend) handshake(c *socket.Socket) map[string]any {
	extensions := ""
	for _, q := range b.of(c.Conn().Id()) {
		if b.compress && q.extensions != "" {
			extensions = "permessage-deflate"
		}
	}
	request := c.Request().Request()
	if b.compress && request.Header.Get("Sec-WebSocket-Extensions") != "" {
		extensions = "permessage-deflate"
	}
	return map[string]any{
		"id": string(c.Id()), "namespace": c.Nsp().Name(), "auth": c.Handshake().Auth, "query": flat(request.URL.Query()),
		"transport": c.Conn().Transport().Name(), "extensions": extensions,
	}
}

// plain returns a value of the library with its bytes as []byte.
func plain(v any) any {
	switch v := v.(type) {
	case types.BufferInterface:
		return v.Bytes()
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for name, each := range v {
			out[name] = plain(each)
		}
		return out
	}
	return v
}

// gated returns a handler whose websockets can be read from after h has
// returned.
func gated(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open := make(chan struct{})
		defer close(open)
		h.ServeHTTP(gate{w, open}, r)
	})
}

type gate struct {
	http.ResponseWriter
	open <-chan struct{}
}

// Hijack is http.Hijacker.
func (g gate) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(g.ResponseWriter).Hijack()
	return gatedConn{c, g.open}, rw, err
}

type gatedConn struct {
	net.Conn
	open <-chan struct{}
}

func (c gatedConn) Read(b []byte) (int, error) {
	<-c.open
	return c.Conn.Read(b)
}
