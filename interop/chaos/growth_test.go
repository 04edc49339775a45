package chaos

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A sample is the use of resources at one moment.
type sample struct {
	goroutines, heap, files int // heap in bytes, after a collection
}

// resources must not grow by more than a tenth and the slack.
var resources = []struct {
	name  string
	of    func(sample) int
	slack int
}{
	{"goroutines", func(s sample) int { return s.goroutines }, 10},
	{"heap", func(s sample) int { return s.heap }, 512 << 10},
	{"file descriptors", func(s sample) int { return s.files }, 10},
}

// growth reports the resources that have grown from the first quarter of the
// samples to the last. The load varies, so the median and the minimum of the
// quarters are compared: a leak raises both.
func growth(samples []sample) (faults []string) {
	for _, r := range resources {
		first, last := quarter(samples, 0, r.of), quarter(samples, 3, r.of)
		grown := func(from, to int) bool { return to > from+from/10+r.slack }
		if grown(first.low, last.low) && grown(first.middle, last.middle) {
			faults = append(faults, fmt.Sprintf("%s: median %d (minimum %d) to %d (%d)", r.name, first.middle, first.low, last.middle, last.low))
		}
	}
	return faults
}

type spread struct{ low, middle, high int }

func quarter(samples []sample, n int, of func(sample) int) spread {
	part := samples[n*len(samples)/4 : (n+1)*len(samples)/4]
	if len(part) == 0 {
		return spread{}
	}
	var values []int
	for _, s := range part {
		values = append(values, of(s))
	}
	slices.SortFunc(values, cmp.Compare)
	return spread{values[0], values[len(values)/2], values[len(values)-1]}
}

func TestGrowth_reportsLeaksButNotNoise(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	draw := func(leak sample) (samples []sample) {
		for n := range 60 {
			samples = append(samples, sample{
				100 + random.IntN(50) + n*leak.goroutines,
				3<<20 + random.IntN(4<<20) + n*leak.heap,
				20 + random.IntN(15) + n*leak.files,
			})
		}
		return samples
	}
	assert.Empty(t, growth(draw(sample{})))
	assert.Len(t, growth(draw(sample{goroutines: 2})), 1)
	assert.Len(t, growth(draw(sample{heap: 100_000})), 1)
	assert.Len(t, growth(draw(sample{files: 1})), 1)
	assert.Len(t, growth(draw(sample{2, 100_000, 1})), 3)
}
