package bus_test

import (
	"context"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/seed67206a74/parley/bus"
)

// BenchmarkStuckReaderOnCPU measures the CPU time of the longest publish of
// BenchmarkStuckReader, and of the longest read of the clock by the same
// thread. CPU time leaves out the time that other programs ran.
func BenchmarkStuckReaderOnCPU(b *testing.B) {
	b.Run("collected", stuckReaderOnCPU)
	b.Run("uncollected", func(b *testing.B) {
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
		stuckReaderOnCPU(b)
	})
}

func stuckReaderOnCPU(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var publishing, idle time.Duration
	for b.Loop() {
		topic := quiet[token]()
		sub := topic.Subscribe(context.Background(), bus.OnOverflow(bus.DropNewest))
		for i := range 2 * bus.DefaultLimit {
			v := aToken(i)
			start := onCPU(b)
			topic.Publish(v)
			published := onCPU(b)
			publishing, idle = max(publishing, published-start), max(idle, onCPU(b)-published)
		}
		sub.Close()
	}
	b.ReportMetric(float64(publishing), "max-cpu-ns")
	b.ReportMetric(float64(idle), "idle-max-cpu-ns")
}

// onCPU returns how long the calling thread has run.
func onCPU(b *testing.B) time.Duration {
	const threadClock = 3 // CLOCK_THREAD_CPUTIME_ID
	var t syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, threadClock, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		b.Fatal(errno)
	}
	return time.Duration(t.Nano())
}
