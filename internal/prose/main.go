// Command prose checks the language of comments, error texts, log messages,
// test names and Markdown pages.
//
//	go run ./internal/prose            # the whole tree
//	go run ./internal/prose bus docs   # some folders or files
//
// The words and the length of sentences are rules of Vale, in
// .ci/styles/Parley. The width of lines is checked here. Each run also checks
// the files in testdata, where every rule must find its bad examples.
//
// A line of the form
//
//	//prose:allow Words: the text quotes the server
//
// allows findings of one rule in the comment that it belongs to and in the
// line below. In Markdown it is an HTML comment above a paragraph. It needs a
// reason, and at least one finding that it allows.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

// samples is the folder with the examples of the self-check.
const samples = "internal/prose/testdata"

func main() {
	flag.Parse()
	failed, err := run(flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "prose:", err)
		os.Exit(2)
	}
	if failed {
		os.Exit(1)
	}
}

// run checks the files under paths, or the whole tree, and prints the
// findings. It ignores a path that is a file of another kind.
func run(paths []string) (failed bool, err error) {
	if len(paths) == 0 {
		paths = []string{"."}
	}
	var files []*file
	for _, path := range append(paths, samples) {
		found, err := readFiles(path)
		if err != nil {
			return false, err
		}
		if info, err := os.Stat(path); len(found) == 0 && err == nil && info.IsDir() {
			return false, fmt.Errorf("%s: no Go or Markdown files", path)
		}
		files = append(files, found...)
	}
	findings, err := check(files)
	if err != nil {
		return false, err
	}
	var own []finding // in the samples
	for _, f := range findings {
		if strings.HasPrefix(f.path, samples+"/") {
			own = append(own, f)
			continue
		}
		failed = true
		fmt.Println(f)
	}
	problems, err := selfCheck(own)
	for _, problem := range problems {
		failed = true
		fmt.Println("self-check:", problem)
	}
	return failed, err
}

// A finding is a place that breaks a rule.
type finding struct {
	path         string
	line, column int
	rule         string
	message      string
}

func (f finding) String() string {
	return fmt.Sprintf("%s:%d:%d: %s (%s)", f.path, f.line, f.column, f.message, f.rule)
}

// check returns the findings in files, except the allowed ones.
func check(files []*file) ([]finding, error) {
	words, err := vale(files)
	if err != nil {
		return nil, err
	}
	var all []finding
	for _, f := range files {
		all = append(all, allow(f, append(words[f], widths(f)...))...)
	}
	return all, nil
}
