package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// beServer is the environment variable that makes this program the server.
const beServer = "PARLEY_LOAD_SERVER"

// startServer starts this program again as the server, and returns its URL. The
// server ends when stop is called, or with this process.
func startServer(ctx context.Context) (url string, stop func(), err error) {
	program, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	server := exec.CommandContext(ctx, program)
	server.Env = append(os.Environ(), beServer+"=1")
	server.Stderr = os.Stderr
	alive, err := server.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := server.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := server.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = alive.Close()
		_ = server.Wait()
	}
	url, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, err
	}
	return strings.TrimSpace(url), stop, nil
}

// serveLoad runs a minimal backend until stdin closes. It has no rooms and no
// presence, and answers each user message.
func serveLoad() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	upgrader := websocket.Upgrader{ReadBufferSize: 512, WriteBufferSize: 512}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		_ = converse(ws) // until the client disconnects
	})}
	go server.Serve(listener) // ends with the process
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// converse serves one session. The text of a question is the number of tokens
// of the answer and the time between them: "20 500ms".
func converse(ws *websocket.Conn) error {
	say := func(text string) error { return ws.WriteMessage(websocket.TextMessage, []byte(text)) }
	if err := say(`0{"sid":"engine","upgrades":[],"pingInterval":300000,"pingTimeout":200000}`); err != nil {
		return err
	}
	for {
		_, data, err := ws.ReadMessage()
		if err != nil {
			return err
		}
		frame := string(data)
		switch {
		case frame == "40":
			err = say(`40{"sid":"socket"}`)
		case strings.HasPrefix(frame, `42["user:message",`):
			err = answer(frame[2:], say)
		}
		if err != nil {
			return err
		}
	}
}

func answer(event string, say func(string) error) error {
	var args [2]json.RawMessage
	var question struct{ RequestID, Text string }
	if err := json.Unmarshal([]byte(event), &args); err != nil {
		return err
	}
	if err := json.Unmarshal(args[1], &question); err != nil {
		return err
	}
	var tokens int
	var pause string
	if _, err := fmt.Sscan(question.Text, &tokens, &pause); err != nil {
		return err
	}
	pace, err := time.ParseDuration(pause)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for i := range tokens {
		<-ticker.C
		now := strconv.FormatInt(time.Now().UnixNano(), 10)
		if err := say(`42["ai:token",{"requestId":"` + question.RequestID + `","token":"` + now + `","index":` + strconv.Itoa(i) + `}]`); err != nil {
			return err
		}
	}
	return say(`42["ai:message",{"requestId":"` + question.RequestID + `","messageId":"m","role":"assistant","text":"done","createdAt":"2026-01-02T03:04:05Z"}]`)
}
