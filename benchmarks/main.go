// Benchmarks compares package bus with other ways to fan events out in one
// process. README.md has the method and the results.
//
//	go run .                       # prints the tables
//	go run . -quick                # the same in less time, with more noise
//	go run . -readme README.md     # writes them between the file's markers
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/seed67206a74/parley/benchmarks/internal/markdown"
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
	settings := thorough()
	if short {
		settings = quick()
	}
	tables, err := report(settings)
	if err != nil {
		return err
	}
	if readme == "" {
		fmt.Print(tables)
		return nil
	}
	return markdown.Rewrite(readme, tables)
}
