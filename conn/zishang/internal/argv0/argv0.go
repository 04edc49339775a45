// Package argv0 keeps github.com/zishang520/socket.io/clients/engine/v3 from
// taking over SIGINT, SIGTERM and SIGQUIT when it is imported.
//
// The init of that package calls signal.NotifyContext, from which on these signals
// no longer end the program; it leaves that out in a test binary, which it
// knows by the end of os.Args[0]. Its registration cannot be undone, and
// signal.Reset would remove those of the program as well. So os.Args[0] has that
// end while the init runs, and [Restore] removes it.
//
// The order is the language's: of the packages whose imports are initialised,
// the one with the lowest import path comes first. This one's is lower than
// that of the package it is meant for, and it needs less. Package flag, which
// names itself after os.Args[0], is initialised before.
package argv0

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

// Restore gives os.Args[0] its original value back.
func Restore() {
	if len(os.Args) > 0 && os.Args[0] == original+end {
		os.Args[0] = original
	}
}
