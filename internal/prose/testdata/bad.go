// Package bad is read by nobody.
package bad

import (
	"errors"
	"flag"
	"log/slog"
)

// A Value is used
// by nobody.
type Value struct {
	first  int // for nobody
	second int // for nobody else
}

var errBad = errors.New("bad: read by nobody")

/*
Do does it for nobody.
*/
func Do() {
	// Nobody calls it.
	slog.Info("bad: called by nobody")
	flag.String("name", "", "the `name` that nobody has")

	//	code
	//
	// and text for nobody
}
