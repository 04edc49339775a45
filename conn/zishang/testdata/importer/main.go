// A program that imports the transport, and sends itself a signal. Its argument
// says what it has done about that: nothing, notify or ignore.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	_ "github.com/seed67206a74/parley/conn/zishang"
)

var early = make(chan os.Signal, 1)

func main() {
	which := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "QUIT": syscall.SIGQUIT}[os.Args[2]]
	switch os.Args[1] {
	case "notify":
		signal.Notify(early, which)
	case "ignore":
		signal.Ignore(which)
	}
	fmt.Println(os.Args[0])
	_ = syscall.Kill(os.Getpid(), which)
	select {
	case <-early:
		fmt.Println("notified")
	case <-time.After(time.Second): // long enough to be ended by the signal
		fmt.Println("alive")
	}
}
