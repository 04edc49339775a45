package bus

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
)

func TestWaitForReaders_waitsForSubscriptionsUnderFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic Topic[int]
		ctx, cancel := context.WithCancel(t.Context())
		defer topic.Close()
		topic.WaitForReaders(ctx)
		sub := topic.Subscribe(t.Context(), Limit(10))
		topic.Subscribe(t.Context(), Limit(1), OnOverflow(DropNewest))
		for n := range 6 {
			topic.WaitForReaders(ctx)
			topic.Publish(n)
		}
		done := make(chan struct{})
		go func() { defer close(done); topic.WaitForReaders(ctx) }() // ends with ctx
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("the subscription has less than half of its limit free")
		default:
		}
		assert.Equal(t, 0, <-sub.C())
		<-done

		topic.Publish(6)
		cancel()
		topic.WaitForReaders(ctx)
		sub.Close()
		topic.WaitForReaders(t.Context())
	})
}
