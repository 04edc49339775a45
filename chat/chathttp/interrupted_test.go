package chathttp

import (
	"context"
	"io"
	"iter"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
)

// streamed has the method, the path and the body of a question in each protocol
// that streams.
var streamed = map[string][3]string{
	"AI SDK": {"POST", "/chat", `{"id":"room","messages":[{"role":"user","parts":[{"type":"text","text":"Count"}]}]}`},
	"SSE":    {"GET", "/sse?chatId=room&text=Count"},
	"NDJSON": {"POST", "/ndjson", `{"chatId":"room","text":"Count"}`},
	"OpenAI": {"POST", "/v1/chat/completions", `{"stream":true,"messages":[{"role":"user","content":"Count"}]}`},
	"AG-UI":  {"POST", "/agui", `{"threadId":"room","runId":"1","messages":[{"id":"1","role":"user","content":"Count"}]}`},
}

// withContext serves the site with contexts of requests that end with cancel.
func (s *site) withContext() (cancel context.CancelFunc) {
	_ = s.http.Close()
	ctx, cancel := context.WithCancel(s.t.Context())
	s.serve(routes(s.web), &http.Server{BaseContext: func(net.Listener) context.Context { return ctx }})
	return cancel
}

func TestStream_breaksConnectionWhenContextOfRequestEnds(t *testing.T) {
	for name, q := range streamed {
		t.Run(name, func(t *testing.T) {
			withSite(t, pauses, Config{OnLeave: ContinueOnLeave}, func(t *testing.T, s *site) {
				cancel := s.withContext()
				r := s.status(200, s.send(q[0], q[1], q[2]))
				time.Sleep(2500 * time.Millisecond)
				cancel()
				all, err := io.ReadAll(r.Body)
				assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "a clean end is a success for clients")
				assert.Contains(t, string(all), "1 ")
				assert.NotContains(t, string(all), "[DONE]")
				assert.Zero(t, s.aborts())
			})
		})
	}
}

func TestOpenAI_refusesRequestWhoseContextEnds(t *testing.T) {
	withSite(t, pauses, Config{OnLeave: ContinueOnLeave}, func(t *testing.T, s *site) {
		cancel := s.withContext()
		time.AfterFunc(2500*time.Millisecond, cancel)
		r := s.status(503, s.complete(""))
		assert.Equal(t, "false", r.Header.Get("X-Should-Retry"))
		assert.Contains(t, r.body(), `"code":"interrupted"`)
	})
}

// An incomplete answer ends with neither a message nor an error.
type incomplete struct{ *chat.Stream }

func (a incomplete) Follow(ctx context.Context, tick time.Duration) iter.Seq2[[]events.Event, error] {
	return func(yield func([]events.Event, error) bool) {
		for batch, err := range a.Stream.Follow(ctx, tick) {
			if err != nil || len(batch) > 0 && batch[len(batch)-1].Key() == events.KeyAIMessage || !yield(batch, err) {
				return
			}
		}
	}
}

type incompleteAsker struct{ *chat.Client }

func (a incompleteAsker) Ask(ctx context.Context, q chat.Question) (incomplete, error) {
	answer, err := a.Client.Ask(ctx, q)
	return incomplete{answer}, err
}

func TestStream_endsWithErrorWithoutFinalMessage(t *testing.T) {
	withSite(t, chattest.Say("one", 0), Config{}, func(t *testing.T, s *site) {
		serveAsker(s, incompleteAsker{s.client}, Config{})
		for name, q := range streamed {
			all := s.send(q[0], q[1], q[2]).body()
			assert.Contains(t, all, `"incomplete"`, name)
			assert.NotContains(t, all, "[DONE]", name)
		}
		r := s.status(502, s.send("POST", "/v1/chat/completions", `{"messages":[{"role":"user","content":"Count"}]}`))
		assert.Contains(t, r.body(), `"incomplete"`)
	})
}
