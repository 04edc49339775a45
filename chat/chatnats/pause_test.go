package chatnats

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/require"
)

func TestWork_keepsOrderWhenPausedWorkerWakesUp(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	b := newBus(t, server.URL, Config{Partitions: 1})
	var reading sync.WaitGroup
	done := newTally()
	worker := func(id string) *child {
		w := newChild(t, "worker", map[string]string{"URL": server.URL, "ID": id})
		reading.Go(func() { done.read(t, w) }) // ends with the child
		return w
	}
	one := worker("one")
	var topic bus.Topic[events.Event]
	forwarding(t, b, &topic)
	published := 0
	reach := func(n int) {
		t.Helper()
		for ; published < n; published++ {
			topic.Publish(token("room", fmt.Sprintf("r%d", published/killTokens), published%killTokens))
		}
		require.Eventually(t, func() bool { return done.done() == n }, patience, time.Millisecond)
	}
	reach(100)
	one.stop()
	two := worker("two")
	reach(300) // by the second worker, after the first one's TTL
	one.cont()
	reach(900)
	one.kill()
	reach(1200)
	two.kill()
	reading.Wait()
	for request, times := range done.first {
		require.True(t, slices.IsSorted(times), "%s is not handled in order", request)
	}
}
