package chat

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// After a cut the server acknowledges the join and sends the final message at
// once: the reader handles the message before the client has handled the join.
func TestStream_isNeverCutShortSilently(t *testing.T) {
	for _, policy := range []GapPolicy{FillGap, FailOnGap} {
		t.Run(fmt.Sprint(policy), func(t *testing.T) {
			rejoined := make(chan string, 1) // the request to answer after the next join
			stage := newStage(t, func(p *peer, frame string) {
				if !strings.Contains(frame, `"chat:join"`) {
					return
				}
				id := frame[2:strings.Index(frame, "[")]
				select {
				case request := <-rejoined:
					p.Send("43"+id+`[]`, finalFrame(request, "abcd"))
				default:
					p.Send("43" + id + `[]`)
				}
			})
			client, _ := stage.run(t, Config{JoinTimeout: time.Minute, Stream: StreamConfig{OnGap: policy}})
			for n := range 300 {
				request := fmt.Sprint("r", n)
				s, err := client.Ask(wiretest.Context(t), Question{UserID: user, RequestID: request})
				require.NoError(t, err)
				p := wiretest.ReceiveFrom(t, stage.peers)
				p.Send(tokenFrame(request, 0, "a"), tokenFrame(request, 1, "b"))
				tokens := s.Tokens()
				wiretest.ReceiveFrom(t, tokens)
				wiretest.ReceiveFrom(t, tokens)
				rejoined <- request
				p.cut()
				message, err := s.Wait()
				if policy == FailOnGap {
					assert.Equal(t, &GapError{From: 2, To: 2}, err)
					continue
				}
				require.NoError(t, err)
				assert.Equal(t, "abcd", message.Text)
				assert.Equal(t, "abcd", read(s), "round %d", n)
			}
		})
	}
}

// A session that did not resume another starts an epoch, even if it is lost
// before Ready and the next session resumes it.
func TestStream_detectsLossWhenFreshSessionEndsBeforeReady(t *testing.T) {
	recoverable(t, Config{JoinTimeout: time.Minute}, func(t *testing.T, w wire, client *Client, l *link) {
		l.send(`430[]`)
		s := l.ask(t, client, "r1")
		l.send(tokenFrame("r1", 0, "a"), tokenFrame("r1", 1, "b"))
		synctest.Wait()
		l.cut()
		l = <-w
		<-l.out // CONNECT, which asks for p1
		l.send(`40{"sid":"socket-2","pid":"p2"}`)
		<-l.out // the join, which stays without a reply
		l.send(`42["n",1,"offset-2"]`)
		synctest.Wait()
		l.cut()
		l = <-w
		assert.Contains(t, <-l.out, `"p2"`)
		l.send(`40{"sid":"socket-2","pid":"p2"}`)
		<-l.out
		l.send(`430[]`, finalFrame("r1", "abcd"))
		_, err := s.Wait()
		require.NoError(t, err)
		assert.Equal(t, "abcd", read(s))
		assert.True(t, client.State().Recovered)
		assert.EqualValues(t, 2, client.State().Epoch)
	})
}

func TestShutdown_letsToolsAndResumeSend(t *testing.T) {
	var client *Client
	resume := func(ctx context.Context, s *Stream) error {
		_, err := conn.Call[any](ctx, client.Conn(), "ai:resume", s.RequestID())
		return err
	}
	onWire(t, Config{Stream: StreamConfig{Resume: resume}}, func(t *testing.T, w wire, c *Client, l *link) {
		client = c
		HandleTool(client, "note", func(ctx context.Context, _ any) (string, error) {
			return "noted", client.SendMessage(ctx, message("m1"))
		})
		s := l.ask(t, client, "r1")
		down := make(chan error, 1)
		go func() { down <- client.Shutdown(t.Context()) }() // ends with the answer
		synctest.Wait()
		assert.ErrorIs(t, client.SendMessage(t.Context(), message("m2")), conn.ErrClosed)

		l.send(`421["ai:tool_call",{"callId":"c","toolName":"note","args":{},"requestId":"r1"}]`)
		assert.Equal(t, `42["user:message",{"chatId":"room-1","messageId":"m1","userId":"u1","text":"hi"}]`, <-l.out)
		assert.Equal(t, `431["noted"]`, <-l.out)

		l.cut()
		l = w.accept("")
		<-l.out // the join
		assert.Equal(t, `420["ai:resume","r1"]`, <-l.out)
		l.send(`430[]`, tokenFrame("r1", 0, "x"), finalFrame("r1", "x"))
		_, err := s.Wait()
		require.NoError(t, err)
		assert.NoError(t, <-down)
	})
}

func TestDiscovery_acceptsPushedNames(t *testing.T) {
	onWire(t, Config{Discovery: Discovery{AcceptPushed: true}}, func(t *testing.T, w wire, client *Client, l *link) {
		tokens, changes := client.Tokens.Chan(t.Context()), client.Names.Chan(t.Context())
		assert.Equal(t, "ai:token", (<-changes)[events.KeyAIToken])
		l.send(`42["meta:events:response",{"AI_TOKEN":"one","AI_MESSAGE":"final"}]`, `42["one",{"token":"1","index":0}]`)
		assert.Equal(t, "1", (<-tokens).Token)
		l.send(`42["meta:events:response",{"AI_TOKEN":"two"}]`, `42["one",{"token":"?","index":1}]`, `42["two",{"token":"2","index":1}]`)
		assert.Equal(t, "2", (<-tokens).Token)
		assert.Equal(t, "one", (<-changes)[events.KeyAIToken])
		last := <-changes
		assert.Equal(t, "two", last[events.KeyAIToken])
		assert.Equal(t, "final", last[events.KeyAIMessage], "pushed names are added to the known ones")
	})
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		l.send(`42["meta:events:response",{"AI_TOKEN":"one"}]`)
		synctest.Wait()
		assert.Equal(t, "ai:token", client.EventName(events.KeyAIToken), "by default they are ignored")
	})
}
