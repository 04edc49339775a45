//go:build !race

package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/memtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// wireEvent returns the event with a payload.
func wireEvent[T events.Event](t *testing.T, payload string) T {
	var event T
	require.NoError(t, json.Unmarshal([]byte(payload), &event))
	return event
}

// fields returns members of an object, each with a comma before it.
func fields(n int, value string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%c%c":%s`, 'A'+i%26, '0'+i/26, value)
	}
	return b.String()
}

// The heap that a stream keeps is at most twice its limit, for any events of
// the server.
func TestStream_boundsMemoryOfHostileAnswer(t *testing.T) {
	token := func(index int, more string) string {
		return fmt.Sprintf(`{"requestId":"r1","index":%d,"token":"x%s"}`, index, more)
	}
	for name, event := range map[string]func(n int) events.Event{
		"tokens": func(n int) events.Event { return wireEvent[events.AIToken](t, token(n, "")) },
		"tokens of 100 bytes": func(n int) events.Event {
			return wireEvent[events.AIToken](t, token(n, strings.Repeat("x", 100)))
		},
		"early tokens": func(n int) events.Event { return wireEvent[events.AIToken](t, token(n+1, "")) },
		"members of tokens": func(n int) events.Event {
			return wireEvent[events.AIToken](t, token(n, `","y":1`+fields(1000, "1")+`,"z":"`))
		},
		"members of early tokens": func(n int) events.Event {
			return wireEvent[events.AIToken](t, token(n+1, `","y":1`+fields(1000, "1")+`,"z":"`))
		},
		"one member of each token": func(n int) events.Event {
			return wireEvent[events.AIToken](t, token(n, `","z":"`))
		},
		"members of statuses": func(int) events.Event {
			return wireEvent[events.AIProcessing](t, `{"requestId":"r1","status":"working"`+fields(1000, `""`)+`}`)
		},
		"statuses": func(int) events.Event {
			return wireEvent[events.AIProcessing](t, `{"requestId":"r1","status":"working"}`)
		},
		"tool calls": func(int) events.Event {
			return wireEvent[events.AIToolCall](t, `{"requestId":"r1","callId":"c","toolName":"t","args":{}}`)
		},
		"members of tool results": func(int) events.Event {
			return wireEvent[events.AIToolResult](t, `{"requestId":"r1","callId":"c","toolName":"t","result":1`+fields(1000, "{}")+`}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ss, s := open(t, StreamConfig{ReorderLimit: -1})
			before, n := memtest.Heap(), 0
			for ; !s.Progress().Ended && n <= 2*maxTokens; n++ {
				ss.offerAll(event(n))
			}
			used := memtest.Heap() - before
			assert.LessOrEqual(t, used, int64(2*maxBytes))
			t.Logf("%d events: %.2f of the limit", n, float64(used)/maxBytes)
			_, err := s.Wait()
			assert.ErrorIs(t, err, ErrTooLong)
			runtime.KeepAlive(s)
		})
	}
}

// The calls that run or wait keep at most twice the limit, for any calls of the
// server.
func TestTools_boundMemoryOfPendingCalls(t *testing.T) {
	for name, payload := range map[string]string{
		"args":    `{"callId":"c","toolName":"wait","args":"` + strings.Repeat("x", 256<<10) + `"}`,
		"members": `{"callId":"c","toolName":"wait","args":1` + fields(1000, "1") + `}`,
		"small":   `{"callId":"c","toolName":"wait","args":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			client, err := New("http://localhost", quick(Config{Tools: Tools{MaxPending: 1 << 20}}))
			require.NoError(t, err)
			HandleTool(client, "wait", func(ctx context.Context, _ any) (any, error) { <-ctx.Done(); return nil, ctx.Err() })
			before := memtest.Heap()
			for range min(2500, 40<<20/len(payload)) {
				client.tools.offer(wireEvent[events.AIToolCall](t, payload), nil, conn.Ack{})
			}
			used := memtest.Heap() - before
			assert.LessOrEqual(t, used, int64(2*maxBytes))
			t.Logf("%d calls: %.2f of the limit", client.Stats().Tools, float64(used)/maxBytes)
			require.NoError(t, client.Close()) // ends the calls
			for client.Stats().Tools > 0 {
				runtime.Gosched()
			}
			assert.Zero(t, client.tools.bytes)
		})
	}
}
