package apilist

import (
	"maps"
	"slices"
	"strings"
)

// Diff returns the differences between two sets of files: for each file that
// differs, its name and the lines that are removed and added. It returns "" if
// the sets are equal.
func Diff(got, want map[string][]byte) string {
	names := slices.Collect(maps.Keys(got))
	names = slices.AppendSeq(names, maps.Keys(want))
	slices.Sort(names)
	var text strings.Builder
	for _, name := range slices.Compact(names) {
		removed, added := difference(lines(got[name]), lines(want[name]))
		switch {
		case len(removed)+len(added) > 0:
		case string(got[name]) == string(want[name]):
			continue
		default:
			added = []string{"(the same lines in another order)"}
		}
		text.WriteString(name + "\n")
		for _, line := range removed {
			text.WriteString("  - " + line + "\n")
		}
		for _, line := range added {
			text.WriteString("  + " + line + "\n")
		}
	}
	return text.String()
}

func lines(content []byte) []string {
	return slices.Collect(strings.SplitSeq(strings.TrimSuffix(string(content), "\n"), "\n"))
}

// difference returns the lines that are only in a, and the lines that are only
// in b.
func difference(a, b []string) (onlyA, onlyB []string) {
	without := func(all, others []string) []string {
		left := map[string]int{}
		for _, line := range others {
			left[line]++
		}
		var only []string
		for _, line := range all {
			if left[line]--; left[line] < 0 && line != "" {
				only = append(only, line)
			}
		}
		return only
	}
	return without(a, b), without(b, a)
}
