package main

import (
	"cmp"
	"slices"
)

// percentile returns the value that p percent of the values do not exceed, of
// at least one value. It sorts them.
func percentile[T cmp.Ordered](values []T, p int) T {
	slices.Sort(values)
	return values[(len(values)-1)*p/100]
}

func median[T cmp.Ordered](values []T) T { return percentile(values, 50) }
