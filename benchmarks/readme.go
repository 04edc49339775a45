package main

import (
	"errors"
	"os"
	"strings"
)

const (
	beginMarker = "<!-- measured: begin -->\n"
	endMarker   = "<!-- measured: end -->"
)

var errNoMarkers = errors.New("benchmarks: the file lacks the marker comments")

// rewrite puts report between the marker comments of a file.
func rewrite(name, report string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	replaced, err := between(string(text), report)
	if err != nil {
		return err
	}
	return os.WriteFile(name, []byte(replaced), 0o644)
}

// between replaces what is between the markers in text.
func between(text, report string) (string, error) {
	head, rest, begun := strings.Cut(text, beginMarker)
	_, tail, ended := strings.Cut(rest, endMarker)
	if !begun || !ended {
		return "", errNoMarkers
	}
	return head + beginMarker + "\n" + report + "\n" + endMarker + tail, nil
}
