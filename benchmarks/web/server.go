package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"runtime"
	"syscall"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chathttp"
	"github.com/seed67206a74/parley/events"
)

// beServer and backendURL are variables of the environment: the first makes
// this program the web server, the second has the URL of the backend.
const (
	beServer   = "PARLEY_WEB_SERVER"
	backendURL = "PARLEY_WEB_BACKEND"
)

// The handlers under test.
const (
	byHand   = "written by hand, with Stream.Text"
	byTokens = "written by hand, with Stream.Tokens"
	plainSSE = "chathttp: server-sent events"
	aiSDK    = "chathttp: AI SDK"
)

var handlers = []string{byHand, byTokens, plainSSE, aiSDK}

// serve is the web server. It ends when its standard input is closed.
func serve() error {
	client, err := chat.New(os.Getenv(backendURL), chat.Config{NoJoin: true})
	if err != nil {
		return err
	}
	defer client.Close()
	go client.Run(context.Background()) // ends with Close
	web, err := chathttp.New(client, chathttp.Config{
		NoJoin: true, // as the other handler
		Authorize: func(r *http.Request) (chathttp.Visitor, error) {
			return chathttp.Visitor{UserID: events.StringID(r.FormValue("chatId")), MayUse: func(string) bool { return true }}, nil
		},
	})
	if err != nil {
		return err
	}
	defer web.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /text", hand(client, (*chat.Stream).Text))
	mux.Handle("GET /tokens", hand(client, texts))
	mux.HandleFunc("GET /sse", web.SSE)
	mux.HandleFunc("POST /aisdk", web.AISDK)
	mux.HandleFunc("GET /memory", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, memory()) })
	server := &http.Server{Handler: mux}
	defer server.Close()
	go server.Serve(listener) // ends with Close
	fmt.Printf("http://%s\n", listener.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// hand is the handler that is written by hand. It has neither limits, nor
// resuming, nor comments in silence.
func hand(client *chat.Client, read func(*chat.Stream) iter.Seq2[string, error]) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		stream, err := client.Ask(r.Context(), chat.Question{
			UserID: events.StringID(r.FormValue("chatId")), ChatID: events.StringID(r.FormValue("chatId")), Text: r.FormValue("text"),
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-cache, no-transform")
		w.Header().Set("X-Accel-Buffering", "no")
		flusher := http.NewResponseController(w)
		for text, err := range read(stream) {
			if err != nil {
				fmt.Fprint(w, "event: ai:error\ndata: {}\n\n")
				return
			}
			data, err := json.Marshal(map[string]string{"token": text})
			if err != nil {
				return
			}
			fmt.Fprintf(w, "event: ai:token\ndata: %s\n\n", data)
			if flusher.Flush() != nil {
				return
			}
		}
		fmt.Fprint(w, "event: ai:message\ndata: {}\n\n")
	}
}

// texts reads the channel of an answer.
func texts(stream *chat.Stream) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for token := range stream.Tokens() {
			if !yield(token.Token, nil) {
				return
			}
		}
		if _, err := stream.Wait(); err != nil {
			yield("", err)
		}
	}
}

// memory returns the memory in use after a collection, with the stacks.
func memory() uint64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// raiseFileLimit raises the limit of open files to its maximum.
func raiseFileLimit() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
