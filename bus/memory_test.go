//go:build !race

package bus_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/internal/memtest"
)

// The heap that pending values keep is at most twice the limit on their sizes,
// with keys and sizes that a publisher chooses.
func TestLimitBytes_boundsMemory(t *testing.T) {
	const limit, size = 4 << 20, 1 << 10
	length := func(b []byte) int { return len(b) }
	options := map[string][]bus.Option{
		"size function":   {bus.LimitBytes(limit, length)},
		"published sizes": {bus.LimitBytes[[]byte](limit, nil)},
		"conflated":       {bus.LimitBytes(limit, length), bus.Conflate(func(b []byte) *byte { return &b[0] })},
	}
	for _, policy := range []bus.Policy{bus.Fail, bus.DropOldest, bus.DropNewest} {
		for name, opts := range options {
			t.Run(fmt.Sprint(policy, ", ", name), func(t *testing.T) {
				topic := quiet[[]byte]()
				before := memtest.Heap()
				sub := topic.Subscribe(t.Context(), append(opts, bus.OnOverflow(policy), bus.Limit(1<<20))...)
				for range 10 * limit / size {
					_ = topic.PublishSized(t.Context(), make([]byte, size), size)
				}
				used := memtest.Heap() - before
				assert.LessOrEqual(t, used, int64(2*limit))
				t.Logf("%.2f of the limit", float64(used)/limit)
				runtime.KeepAlive(sub)
				sub.Close()
			})
		}
	}
}
