package bus_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/bus"
)

func TestSubscriptions_describesOpenSubscriptions(t *testing.T) {
	var topic bus.Topic[int]
	assert.Empty(t, bus.Source[int]{}.Subscriptions())
	_, file, line, _ := runtime.Caller(0)
	topic.Source().Chan(t.Context(), bus.Name("reader"), bus.Limit(2), bus.OnOverflow(bus.DropNewest))
	topic.Subscribe(t.Context()).Close()
	for n := range 3 {
		topic.Publish(n)
	}
	all := topic.Source().Subscriptions()
	require.Len(t, all, 1)
	assert.Equal(t, fmt.Sprintf("%s:%d", file, line+1), all[0].Caller)
	all[0].Caller = ""
	assert.Equal(t, bus.SubscriptionInfo{
		Name: "reader", Policy: bus.DropNewest, Limit: 2, Slow: true,
		Stats: bus.Stats{Pending: 2, Dropped: 1, HighWater: 2},
	}, all[0])
}
