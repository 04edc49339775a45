package pipe_test

import (
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed67206a74/parley/bus/pipe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// of returns a closed channel that holds vs.
func of[T any](vs ...T) <-chan T {
	c := open(vs...)
	close(c)
	return c
}

// open returns a channel that holds vs and stays open.
func open[T any](vs ...T) chan T {
	c := make(chan T, len(vs))
	for _, v := range vs {
		c <- v
	}
	return c
}

// numbers returns a closed channel that holds 0, 1, … n-1.
func numbers(n int) <-chan int {
	c := make(chan int, n)
	for i := range n {
		c <- i
	}
	close(c)
	return c
}

// pass waits for d of a bubble's time.
func pass(d time.Duration) { <-time.After(d) }

// read receives from c until it closes.
func read[T any](t *testing.T, c <-chan T) []T {
	return slices.Collect(pipe.Seq(t.Context(), c))
}
