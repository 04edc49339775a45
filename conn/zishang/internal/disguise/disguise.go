// Package disguise keeps github.com/zishang520/socket.io/clients/engine/v3 from
// taking over SIGINT, SIGTERM and SIGQUIT when it is imported.
//
// That package's init calls signal.NotifyContext, from which on these signals
// no longer end the program; it leaves that out in a test binary, which it
// knows by the end of os.Args[0]. There is no handle to take its registration
// back, and signal.Reset would take away everybody else's. So os.Args[0] wears that
// end while that init runs, and [Off] takes it away again.
//
// The order is the language's: of the packages whose imports are initialised,
// the one with the lowest import path comes first. This one's is lower than
// that of the package it is meant for, and it needs less. Package flag, which
// names itself after os.Args[0], is initialised before.
package disguise

import (
	_ "flag" // before this package
	"os"
)

const end = ".test"

var original string

func init() {
	if len(os.Args) > 0 {
		original = os.Args[0]
		os.Args[0] += end
	}
}

// Off gives os.Args[0] back what it was.
func Off() {
	if len(os.Args) > 0 && os.Args[0] == original+end {
		os.Args[0] = original
	}
}
