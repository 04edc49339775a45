package main

import (
	"math"
	"sync/atomic"
	"time"
)

// A histogram counts durations in buckets, each 5% wider than the one before.
// The zero value is empty. It is safe for concurrent use.
type histogram struct{ buckets [buckets]atomic.Int64 }

const (
	buckets  = 500
	widening = 1.05
)

func (h *histogram) add(d time.Duration) {
	i := int(math.Log(max(float64(d)/float64(time.Microsecond), 1)) / math.Log(widening))
	h.buckets[min(i, len(h.buckets)-1)].Add(1)
}

func (h *histogram) counts() (c counts) {
	for i := range h.buckets {
		c[i] = h.buckets[i].Load()
	}
	return c
}

// counts are the counts of a histogram at one time.
type counts [buckets]int64

// since returns the durations that were added after the earlier counts.
func (c counts) since(earlier counts) counts {
	for i := range c {
		c[i] -= earlier[i]
	}
	return c
}

func (c counts) sum() int {
	n := int64(0)
	for _, b := range c {
		n += b
	}
	return int(n)
}

// quantile returns the upper end of the bucket of quantile q, or 0 if there is
// no duration.
func (c counts) quantile(q float64) time.Duration {
	left := int64(math.Ceil(q * float64(c.sum())))
	if left == 0 {
		return 0
	}
	for i, b := range c {
		if left -= b; left <= 0 {
			return time.Duration(math.Pow(widening, float64(i+1)) * float64(time.Microsecond))
		}
	}
	return 0
}
