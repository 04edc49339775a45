package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/seed67206a74/parley/internal/sioserver"
)

// beServer in the environment makes the server of this program.
const beServer = "PARLEY_LOAD_SERVER"

// serveLoad is a backend that does as little as it can, until stdin closes: no
// rooms, no presence, an answer to each user message.
func serveLoad() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	backend := sioserver.New(sioserver.Config{PingInterval: 300 * time.Second, PingTimeout: 200 * time.Second})
	backend.Namespace("/", sioserver.Handlers{Event: func(e *sioserver.Event) {
		if e.Name == "user:message" {
			answer(e)
		}
	}})
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: backend}
	go server.Serve(listener) // ends with the process
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// answer answers a question whose text is the number of tokens and the pause
// between them: "20 500ms". A question of another form has no answer.
func answer(e *sioserver.Event) {
	var question struct{ RequestID, Text string }
	var tokens int
	var pause string
	if err := e.Decode(0, &question); err != nil {
		return
	}
	if _, err := fmt.Sscan(question.Text, &tokens, &pause); err != nil {
		return
	}
	pace, err := time.ParseDuration(pause)
	if err != nil {
		return
	}
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for i := range tokens {
		select {
		case <-ticker.C:
		case <-e.Socket.Context().Done():
			return
		}
		now := strconv.FormatInt(time.Now().UnixNano(), 10)
		_ = e.Socket.Emit("ai:token", json.RawMessage(`{"requestId":"`+question.RequestID+`","token":"`+now+`","index":`+strconv.Itoa(i)+`}`))
	}
	_ = e.Socket.Emit("ai:message", json.RawMessage(`{"requestId":"`+question.RequestID+`","messageId":"m","role":"assistant","text":"done","createdAt":"2026-01-02T03:04:05Z"}`))
}
