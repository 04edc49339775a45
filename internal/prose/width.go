package main

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The widths in columns, with a tab as four.
const (
	commentWidth = 80  // of a comment on lines of its own
	besideWidth  = 100 // of code with a comment beside it
	pageWidth    = 100 // of a Markdown page
)

var (
	fence      = regexp.MustCompile("^\\s*(?:```|~~~)")
	linkTarget = regexp.MustCompile(`\]\([^)]*\)|\]\[[^]]*\]|https?://\S+`)
	linkLine   = regexp.MustCompile(`^\[[^]]+\]:|^<|^!\[`)
)

// widths returns the lines of prose that are too long. Code, tables, link
// targets and a line of one word may be longer.
func widths(f *file) []finding {
	if f.isGo() {
		return goWidths(f)
	}
	var found []finding
	fenced := false
	for i, text := range f.lines {
		if fence.MatchString(text) {
			fenced = !fenced
		}
		if fenced || strings.HasPrefix(strings.TrimSpace(text), "|") || linkLine.MatchString(text) {
			continue
		}
		found = append(found, tooWide(f, i+1, text, pageWidth)...)
	}
	return found
}

func goWidths(f *file) []finding {
	var found []finding
	last := 0
	for _, at := range f.comments {
		if at.line == last || at.text == "" {
			continue
		}
		last = at.line
		whole := f.lines[at.line-1]
		limit := besideWidth
		if before := whole[:at.column-1]; strings.Trim(before, " \t/*") == "" {
			limit = commentWidth
		}
		found = append(found, tooWide(f, at.line, whole, limit)...)
	}
	return found
}

func tooWide(f *file, number int, text string, limit int) []finding {
	text = linkTarget.ReplaceAllString(text, "]")
	width := utf8.RuneCountInString(text) + 3*strings.Count(text, "\t")
	if width <= limit || len(strings.Fields(strings.Trim(text, " \t/-*>"))) == 1 {
		return nil
	}
	return []finding{{f.path, number, 1, "Width", fmt.Sprintf("%d columns; %d are the most", width, limit)}}
}
