// Package server has two more backends for the conformance tests: on
// internal/sioserver, and on the server of zishang520. Each runs in its own
// process, as the backend in Node does.
//
// Its tests connect other clients to internal/sioserver: npm's
// socket.io-client, and many clients at the same time.
package server

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// Variable is the environment variable that makes a test binary a backend:
// "parley" or "zishang".
const Variable = "PARLEY_BACKEND"

// settings are the environment of conformance.js.
type settings struct {
	recovery, compress        bool
	pingInterval, pingTimeout time.Duration
}

// Run serves the backend that Variable names, on the port after --port, until
// the process is killed. It returns at once if Variable is not set. Test
// binaries call it first in TestMain.
func Run() {
	kind := os.Getenv(Variable)
	if kind == "" {
		return
	}
	milliseconds := func(name string) time.Duration {
		n, _ := strconv.Atoi(os.Getenv(name)) // 0 is the default
		return time.Duration(n) * time.Millisecond
	}
	s := settings{
		recovery:     os.Getenv("RECOVERY") == "1",
		compress:     os.Getenv("PER_MESSAGE_DEFLATE") == "1",
		pingInterval: milliseconds("PING_INTERVAL"),
		pingTimeout:  milliseconds("PING_TIMEOUT"),
	}
	handler := map[string]func(settings) http.Handler{"parley": parley, "zishang": zishang}[kind](s)
	port := "0"
	if n := len(os.Args); n > 2 && os.Args[n-2] == "--port" {
		port = os.Args[n-1]
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	line, _ := json.Marshal(map[string]int{"port": listener.Addr().(*net.TCPAddr).Port})
	fmt.Println(string(line))
	_ = http.Serve(listener, handler)
	os.Exit(1)
}
