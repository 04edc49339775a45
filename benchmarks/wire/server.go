package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/gorilla/websocket"
)

// beServer in the environment makes the server of this program.
const beServer = "PARLEY_WIRE_SERVER"

// serve accepts clients until stdin is closed. It is written by hand, so that
// it costs little.
func serve() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	upgrader := websocket.Upgrader{ReadBufferSize: 64 << 10, CheckOrigin: func(*http.Request) bool { return true }}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		play(ws)
	})}
	go server.Serve(listener) // ends with the process
	_, _ = os.Stdin.Read(make([]byte, 1))
	return nil
}

const openPacket = `0{"sid":"s1","upgrades":[],"pingInterval":600000,"pingTimeout":600000,"maxPayload":1000000}`

// play is the server's end of one connection. The client first announces its
// run: "count" and "call" with a number of events to receive, or "blast" with a
// number of tokens to send. After the events of a count, the server sends
// "done", and whether their numbers were in order.
func play(ws *websocket.Conn) {
	send := func(frame string) { _ = ws.WriteMessage(websocket.TextMessage, []byte(frame)) }
	send(openPacket)
	_, _, _ = ws.ReadMessage() // CONNECT
	send(`40{"sid":"socket-1"}`)
	left, next, inOrder := 0, 0, true
	for {
		_, frame, err := ws.ReadMessage()
		if err != nil {
			return
		}
		switch name, rest, _ := bytes.Cut(frame, []byte(`["`)); {
		case len(name) > len("42"): // asks for an acknowledgement
			send("43" + string(name[len("42"):]) + "[1]")
		case bytes.HasPrefix(rest, []byte("count")):
			left, next, inOrder = number(rest, ","), 0, true
			send(`42["go"]`)
		case bytes.HasPrefix(rest, []byte("blast")):
			blast(ws, number(rest, ","))
		case bytes.HasPrefix(rest, []byte("user:message")):
			inOrder = inOrder && number(rest, `"messageId":"`) == next
			next++
			if left--; left == 0 {
				send(fmt.Sprintf(`42["done",%v]`, inOrder))
			}
		}
	}
}

// number returns the number that follows a text.
func number(frame []byte, after string) int {
	_, rest, _ := bytes.Cut(frame, []byte(after))
	end := bytes.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	n, _ := strconv.Atoi(string(rest[:max(end, 0)]))
	return n
}

// blast sends tokens as fast as the socket takes them, many in one write.
func blast(ws *websocket.Conn, tokens int) {
	batch := make([]byte, 0, 64<<10)
	for i := range tokens {
		text := fmt.Sprintf(`42["ai:token",{"chatId":"room-1","requestId":"req-1234","token":"word ","index":%d}]`, i)
		batch = append(append(batch, 0x81, byte(len(text))), text...) // shorter than 126 bytes
		if len(batch) > 60<<10 || i == tokens-1 {
			if _, err := ws.NetConn().Write(batch); err != nil {
				return
			}
			batch = batch[:0]
		}
	}
}
