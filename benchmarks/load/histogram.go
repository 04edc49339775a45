package main

import (
	"math"
	"sync/atomic"
	"time"
)

// A histogram counts durations in buckets, each 5% wider than the one before.
// The zero value is empty. It is safe for concurrent use.
type histogram struct{ buckets [500]atomic.Int64 }

const widening = 1.05

func (h *histogram) add(d time.Duration) {
	i := int(math.Log(max(float64(d)/float64(time.Microsecond), 1)) / math.Log(widening))
	h.buckets[min(i, len(h.buckets)-1)].Add(1)
}

func (h *histogram) count() int {
	n := int64(0)
	for i := range h.buckets {
		n += h.buckets[i].Load()
	}
	return int(n)
}

// quantile returns the upper end of the bucket of quantile q, or 0 if the
// histogram is empty.
func (h *histogram) quantile(q float64) time.Duration {
	left := int64(math.Ceil(q * float64(h.count())))
	if left == 0 {
		return 0
	}
	for i := range h.buckets {
		if left -= h.buckets[i].Load(); left <= 0 {
			return time.Duration(math.Pow(widening, float64(i+1)) * float64(time.Microsecond))
		}
	}
	return 0
}
