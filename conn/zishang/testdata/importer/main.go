// Command importer imports package zishang, and sends itself a signal. Its
// first argument is the handling of the signal: nothing, notify or ignore. The
// second argument is the signal.
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
	case <-time.After(time.Second): // enough time for the signal
		fmt.Println("alive")
	}
}
