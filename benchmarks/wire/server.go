package main

import (
	"bufio"
	"bytes"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"

	"github.com/gorilla/websocket"
)

// beServer in the environment makes the server of this program.
const beServer = "PARLEY_WIRE_SERVER"

// serve accepts clients until stdin is closed. Its servers are written by hand,
// so that they cost little. It prints their URLs: http, then https.
func serve() error {
	plain, secure := newServers()
	defer plain.Close()
	defer secure.Close()
	fmt.Println(plain.URL, secure.URL)
	_, _ = os.Stdin.Read(make([]byte, 1))
	return nil
}

func newServers() (plain, secure *httptest.Server) {
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	var polling sessions
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("transport") == "polling" {
			polling.ServeHTTP(w, r)
			return
		}
		in := bufio.NewReaderSize(nil, readBuffer)
		ws, err := upgrader.Upgrade(hijacker{w, in}, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		play(webSocket{ws, in})
	})
	secure = httptest.NewUnstartedServer(handler)
	secure.Config.ErrorLog = log.New(noWriter{}, "", 0) // clients close without TLS's last record
	secure.StartTLS()
	return httptest.NewServer(handler), secure
}

type noWriter struct{}

func (noWriter) Write(p []byte) (int, error) { return len(p), nil }

// A link is the server's end of one session.
type link interface {
	// read returns the next packet of the client.
	read() ([]byte, error)

	// more reports whether another packet has arrived.
	more() bool

	// send sends packets, many in one write.
	send(packets ...string) error
}

const readBuffer = 64 << 10

type webSocket struct {
	ws *websocket.Conn
	in *bufio.Reader // of ws
}

// A hijacker makes the websocket library read from in.
type hijacker struct {
	http.ResponseWriter
	in *bufio.Reader
}

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, buffers, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err == nil {
		h.in.Reset(c) // a client sends nothing before the response
		buffers.Reader = h.in
	}
	return c, buffers, err
}

func (l webSocket) more() bool { return l.in.Buffered() > 0 }

func (l webSocket) read() ([]byte, error) {
	_, packet, err := l.ws.ReadMessage()
	return packet, err
}

func (l webSocket) send(packets ...string) error {
	if len(packets) == 1 {
		return l.ws.WriteMessage(websocket.TextMessage, []byte(packets[0]))
	}
	var batch []byte
	for _, p := range packets {
		batch = append(append(batch, 0x81, byte(len(p))), p...) // shorter than 126 bytes
	}
	_, err := l.ws.NetConn().Write(batch)
	return err
}

const openPacket = `0{"sid":%q,"upgrades":[],"pingInterval":600000,"pingTimeout":600000,"maxPayload":1000000}`

// play is the server's end of one session. The client first announces its run:
// "count" with a number of events to receive, or "blast" with a number of
// tokens to send. After the events of a count, the server sends "done", and
// whether their numbers were in order. A message with a text such as "answer
// 100" is answered with so many tokens. Calls that arrived together are
// acknowledged with one write.
func play(l link) {
	if l.send(fmt.Sprintf(openPacket, "s1")) == nil {
		serveEvents(l)
	}
}

func serveEvents(l link) {
	_, _ = l.read() // CONNECT
	err := l.send(`40{"sid":"socket-1"}`)
	left, next, inOrder := 0, 0, true
	var acks []string
	for err == nil {
		var packet []byte
		if packet, err = l.read(); err != nil {
			return
		}
		switch name, rest, _ := bytes.Cut(packet, []byte(`["`)); {
		case len(name) > len("42"): // asks for an acknowledgement
			acks = append(acks, "43"+string(name[len("42"):])+"[1]")
			if !l.more() {
				err = l.send(acks...)
				acks = acks[:0]
			}
		case bytes.HasPrefix(rest, []byte("count")):
			left, next, inOrder = number(rest, ","), 0, true
			err = l.send(`42["go"]`)
		case bytes.HasPrefix(rest, []byte("blast")):
			err = blast(l, number(rest, ","))
		case bytes.HasPrefix(rest, []byte("user:message")):
			if tokens := number(rest, `"text":"answer `); tokens > 0 {
				if err = blast(l, tokens); err == nil {
					err = l.send(lastMessage)
				}
				break
			}
			inOrder = inOrder && number(rest, `"messageId":"`) == next
			next++
			if left--; left == 0 {
				err = l.send(fmt.Sprintf(`42["done",%v]`, inOrder))
			}
		}
	}
}

const lastMessage = `42["ai:message",{"chatId":"room-1","requestId":"req-1234","messageId":"m","role":"assistant",` +
	`"text":"","createdAt":"2026-01-02T03:04:05Z"}]`

// number returns the number that follows a text.
func number(frame []byte, after string) int {
	_, rest, _ := bytes.Cut(frame, []byte(after))
	end := bytes.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	n, _ := strconv.Atoi(string(rest[:max(end, 0)]))
	return n
}

// blast sends tokens as fast as the socket takes them.
func blast(l link, tokens int) error {
	batch := make([]string, 0, 700)
	for i := range tokens {
		batch = append(batch, fmt.Sprintf(`42["ai:token",{"chatId":"room-1","requestId":"req-1234","token":"word ","index":%d}]`, i))
		if len(batch) == cap(batch) || i == tokens-1 {
			if err := l.send(batch...); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return nil
}
