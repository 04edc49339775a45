package bus_test

import (
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// numbers returns from, from+1, … to-1.
func numbers(from, to int) []int {
	var ns []int
	for n := from; n < to; n++ {
		ns = append(ns, n)
	}
	return ns
}

// take receives n values.
func take[T any](c <-chan T, n int) []T {
	var vs []T
	for range n {
		vs = append(vs, <-c)
	}
	return vs
}

// rest receives until c closes.
func rest[T any](c <-chan T) []T {
	var vs []T
	for v := range c {
		vs = append(vs, v)
	}
	return vs
}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
