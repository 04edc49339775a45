//go:build !race

package chat

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"testing"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The race detector adds allocations, so these tests run without it.
func TestSendMessage_allocations(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		_, _ = io.Copy(io.Discard, p.WS.NetConn())
	})
	client, err := New(url, quick(Config{Meta: map[string]any{"tenant": "acme"}}))
	require.NoError(t, err)
	defer client.Close()
	wiretest.Run(t, client)
	require.NoError(t, client.Ready(t.Context()))
	m := events.UserMessage{MessageID: "m1", UserID: user, Text: "Hello", RequestID: "r1"}
	assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
		if err := client.SendMessage(t.Context(), m); err != nil {
			t.Error(err)
		}
	}), 6.0)
}

// A token from the socket to the reader of a topic.
func TestTokens_allocations(t *testing.T) {
	request := make(chan struct{})
	const burst = 100
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		frames := &bytes.Buffer{}
		for n := range burst {
			text := fmt.Sprintf(`42["ai:token",{"chatId":"room-1","traceId":"trace-1","requestId":"req-1","token":"word %d ","index":%d}]`, n, n)
			frames.Write([]byte{0x81, byte(len(text))})
			frames.WriteString(text)
		}
		for range request {
			if _, err := p.WS.NetConn().Write(frames.Bytes()); err != nil {
				return
			}
		}
	})
	client, err := New(url, quick(Config{NoJoin: true}))
	require.NoError(t, err)
	defer client.Close()
	defer close(request)
	tokens := client.Tokens.Chan(t.Context(), bus.Limit(2*burst))
	wiretest.Run(t, client)
	require.NoError(t, client.Ready(t.Context()))
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		request <- struct{}{}
		for range burst {
			<-tokens
		}
	})/burst, 2.0)
}

// A decoded token to the reader of its stream. The chunks of the stream are
// less than one allocation for each token.
func TestStream_allocations(t *testing.T) {
	ss, s := open(t, StreamConfig{})
	next, stop := iter.Pull2(s.Text()) // waits for each token
	defer stop()
	token := events.AIToken{RequestID: "r1", Token: "word "}
	assert.Zero(t, testing.AllocsPerRun(10*chunkTokens, func() {
		ss.offerToken(&token, 1)
		token.Index++
		next()
	}))
	assert.Equal(t, token.Index, s.Progress().Tokens)
	s.finish(events.AIMessage{}, nil)
}

func TestMembers_allocations(t *testing.T) {
	base, err := newBase(room1, map[string]any{"tenant": "acme"})
	require.NoError(t, err)
	var own any = events.UserMessage{MessageID: "m1", UserID: user, Text: "Hello", RequestID: "r1"}
	buf := make([]byte, 0, 512)
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		if _, err := base.with(own).AppendArg(buf, nil); err != nil {
			t.Error(err)
		}
	}))
}
