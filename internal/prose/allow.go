package main

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	mark      = regexp.MustCompile(`^\s*(?://|<!-- )prose:allow\b`)
	allowance = regexp.MustCompile(mark.String() + ` (\w+): (\w.*)$`)
	valeOff   = regexp.MustCompile(`<!--\s*vale\b`)
)

// allow returns the findings of a file that none of its allowances covers, and
// one for each allowance that has no reason or covers nothing.
func allow(f *file, found []finding) []finding {
	var extra []finding
	for i, text := range f.lines {
		problem := ""
		m := allowance.FindStringSubmatch(text)
		switch {
		case valeOff.MatchString(text):
			problem = "Use prose:allow, with a reason, instead of Vale's own comment."
		case m == nil && mark.MatchString(text):
			problem = "Write the rule and a reason: prose:allow Rule: reason."
		case m != nil:
			first, last := f.block(i)
			kept := found[:0:0]
			for _, each := range found {
				if each.rule != m[1] || each.line < first || each.line > last {
					kept = append(kept, each)
				}
			}
			if len(kept) == len(found) {
				problem = fmt.Sprintf("No finding of %s here to allow.", m[1])
			}
			found = kept
		}
		if problem != "" {
			extra = append(extra, finding{f.path, i + 1, 1, "Allow", problem})
		}
	}
	return append(found, extra...)
}

// block returns the first and the last line that an allowance covers, for one
// on the line with index i. It covers the comment around it and the line
// below, or the paragraph in Markdown.
func (f *file) block(i int) (first, last int) {
	within := func(i int) bool {
		if i < 0 || i >= len(f.lines) {
			return false
		}
		text := strings.TrimSpace(f.lines[i])
		return text != "" && (!f.isGo() || strings.HasPrefix(text, "//"))
	}
	first, last = i, i
	for within(first - 1) {
		first--
	}
	for within(last + 1) {
		last++
	}
	if f.isGo() {
		last++
	}
	return first + 1, last + 1
}
