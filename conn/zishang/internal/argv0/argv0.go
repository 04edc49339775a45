// Package argv0 prevents github.com/zishang520/socket.io/clients/engine/v3 from
// registering for SIGINT, SIGTERM and SIGQUIT on import.
//
// The init function of that package calls signal.NotifyContext. From then on
// these signals no longer end the program. The registration cannot be undone,
// and signal.Reset would also remove the registrations of the program. The
// function does not register in a test binary, which it recognizes by the
// suffix of os.Args[0]. So os.Args[0] has that suffix while the init function
// runs, and [Restore] removes it.
//
// The Go language defines the order: of the packages whose imports are
// initialized, the one with the lowest import path is initialized next. The
// path of this package is lower than the path of the client, and it has fewer
// imports. Package flag reads os.Args[0] during its initialization, so it is
// imported to be initialized before.
package argv0

import (
	_ "flag" // before this package
	"os"
)

const suffix = ".test"

var original string

func init() {
	if len(os.Args) > 0 {
		original = os.Args[0]
		os.Args[0] += suffix
	}
}

// Restore sets os.Args[0] to its original value.
func Restore() {
	if len(os.Args) > 0 && os.Args[0] == original+suffix {
		os.Args[0] = original
	}
}
