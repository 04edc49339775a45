// Package memtest measures the heap, for the tests of bounds of memory.
//
// Such a test runs without the race detector and not in parallel. It allows
// twice the bound, because a collector and allocator need room.
package memtest

import "runtime"

// Heap returns the bytes of the heap, without garbage.
func Heap() int64 {
	runtime.GC()
	runtime.GC() // the first one only moves the contents of a sync.Pool
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
