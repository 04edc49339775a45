// Package markdown writes tables, and inserts them between marker comments of a
// file.
package markdown

import (
	"errors"
	"os"
	"strings"
)

// A Table is a Markdown table with names in its first column and figures in the
// others.
type Table struct{ out strings.Builder }

// NewTable returns a table with a heading for each column and no rows.
func NewTable(head ...string) *Table {
	t := new(Table)
	t.Row(head...)
	rule := []string{"---"}
	for range head[1:] {
		rule = append(rule, "---:")
	}
	t.Row(rule...)
	return t
}

// Row adds a row.
func (t *Table) Row(cells ...string) {
	t.out.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// String returns the table.
func (t *Table) String() string { return t.out.String() }

const (
	begin = "<!-- measured: begin -->\n"
	end   = "<!-- measured: end -->"
)

var errNoMarkers = errors.New("benchmarks: the file lacks the marker comments")

// Rewrite replaces the text between the marker comments of a file with report.
func Rewrite(name, report string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	replaced, err := Between(string(text), report)
	if err != nil {
		return err
	}
	return os.WriteFile(name, []byte(replaced), 0o644)
}

// Between returns text with report between its marker comments.
func Between(text, report string) (string, error) {
	head, rest, begun := strings.Cut(text, begin)
	_, tail, ended := strings.Cut(rest, end)
	if !begun || !ended {
		return "", errNoMarkers
	}
	return head + begin + "\n" + report + "\n" + end + tail, nil
}
