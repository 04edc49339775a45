//go:build !race

package conn

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/internal/memtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// members returns an object with n members of two letters.
func members(n int, value string) string {
	var b strings.Builder
	b.WriteString("{")
	for i := range n {
		fmt.Fprintf(&b, `%q:%s,`, []byte{byte('!' + i%91), byte('a' + i/91%26)}, value)
	}
	return strings.TrimSuffix(b.String(), ",") + "}"
}

func array(n int, value string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(value+",", n), ",") + "]"
}

// The heap that the pending events keep is at most twice their limit, for
// any events of the server.
func TestOn_boundsMemoryOfPendingEvents(t *testing.T) {
	text := `"` + strings.Repeat("x", 200_000) + `"`
	t.Run("text", func(t *testing.T) { boundsMemory[string](t, text) })
	t.Run("text as any", func(t *testing.T) { boundsMemory[any](t, text) })
	t.Run("members", func(t *testing.T) { boundsMemory[any](t, members(2000, "1")) })
	t.Run("members of raw JSON", func(t *testing.T) { boundsMemory[map[string]json.RawMessage](t, members(2000, "1")) })
	t.Run("empty objects", func(t *testing.T) { boundsMemory[any](t, array(5000, "{}")) })
	t.Run("empty objects in a map", func(t *testing.T) { boundsMemory[any](t, members(2000, "{}")) })
	t.Run("objects of one member", func(t *testing.T) { boundsMemory[any](t, array(2000, `{"a":1}`)) })
	t.Run("numbers", func(t *testing.T) { boundsMemory[any](t, array(50_000, "1")) })
	t.Run("empty strings", func(t *testing.T) { boundsMemory[any](t, array(50_000, `""`)) })
	t.Run("large elements", func(t *testing.T) { boundsMemory[[]struct{ A [64]int }](t, array(500, "{}")) })
	t.Run("large values in a map", func(t *testing.T) { boundsMemory[map[string]struct{ A [64]int }](t, members(1000, "{}")) })
	t.Run("pointers", func(t *testing.T) { boundsMemory[[]*struct{ A, B [32]int }](t, array(1000, "{}")) })
	t.Run("small", func(t *testing.T) { boundsMemory[any](t, `{"a":{"b":1}}`) })
}

func boundsMemory[T any](t *testing.T, payload string) {
	const limit = 4 << 20
	c, err := New("http://localhost", Config{})
	require.NoError(t, err)
	source := On[T](c, "x")
	options := []bus.Option{bus.LimitBytes[T](limit, nil), bus.OnOverflow(bus.DropNewest), bus.Limit(1 << 30)}
	sub := source.Subscribe(t.Context(), options...)
	data := []byte(`["x",` + payload + `]`)
	s := &Session{}
	before := memtest.Heap()
	published := 0
	for ; sub.Stats().Dropped == 0; published++ {
		require.NoError(t, c.routes.to([]byte("x"))[0].Receive(t.Context(), Payload{body: body{data: data}, session: s}))
	}
	used := memtest.Heap() - before
	assert.LessOrEqual(t, used, int64(2*limit))
	t.Logf("%d events of %d bytes: %.2f of the limit", published, len(payload), float64(used)/limit)
	runtime.KeepAlive(sub)
	require.NoError(t, c.Close())
}
