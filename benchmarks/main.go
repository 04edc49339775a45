// Benchmarks measures package bus side by side with other ways to fan events
// out in one process. README.md says what, how, and what came of it.
//
//	go run .                       # prints the tables
//	go run . -quick                # the same in less time, more roughly
//	go run . -readme README.md     # writes them between the file's markers
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	short := flag.Bool("quick", false, "measure for seconds instead of minutes")
	readme := flag.String("readme", "", "write the tables into this `file`, between its markers, instead of printing them")
	flag.Parse()
	if err := run(*short, *readme); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(short bool, readme string) error {
	effort := thorough()
	if short {
		effort = quick()
	}
	tables, err := report(effort)
	if err != nil {
		return err
	}
	if readme == "" {
		fmt.Print(tables)
		return nil
	}
	return rewrite(readme, tables)
}
