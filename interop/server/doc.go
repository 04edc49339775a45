// Package server has two further backends for the conformance tests. One uses
// internal/sioserver, the other the server of zishang520. Each runs in a
// process of its own, like the backend in Node.
//
// The tests of the package check internal/sioserver with npm's
// socket.io-client.
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

// settings has the environment of conformance.js.
type settings struct {
	recovery, compress        bool
	pingInterval, pingTimeout time.Duration
}

// Run serves the backend of Variable on the port after --port, until the
// process is killed. It returns at once if Variable is not set. Test binaries
// call it first in TestMain.
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
