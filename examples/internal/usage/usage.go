// Package usage sets the text of -help of the examples.
package usage

import (
	"flag"
	"fmt"
	"os"
)

// Set sets the text of -help: a description of one sentence, the synopsis with
// the arguments, and the flags. After -help the exit code is 0, after wrong
// flags 2, and after a failure 1.
func Set(synopsis, description string) {
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "%s\n\n  %s\n\n", description, synopsis)
		flag.PrintDefaults()
	}
}

// NoArguments ends the program with exit code 2 if there are arguments after
// the flags.
func NoArguments() {
	if flag.NArg() > 0 {
		fmt.Fprintf(flag.CommandLine.Output(), "%q is not a flag; there are no arguments\n", flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	}
}
