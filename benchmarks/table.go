package main

import "strings"

// A table is Markdown: names to the left, figures to the right.
type table struct{ out strings.Builder }

func newTable(head ...string) *table {
	t := new(table)
	t.row(head...)
	rule := []string{"---"}
	for range head[1:] {
		rule = append(rule, "---:")
	}
	t.row(rule...)
	return t
}

func (t *table) row(cells ...string) {
	t.out.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func (t *table) String() string { return t.out.String() }
