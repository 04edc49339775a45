package chathttp

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// codes has the code of each error that can end an answer, but ErrAborted.
var codes = map[error]string{
	chat.ErrNoToken: "no_token", chat.ErrStalled: "stalled", chat.ErrOffline: "offline",
	chat.ErrAmbiguous: "ambiguous", chat.ErrStopped: "stopped", chat.ErrTooLong: "too_long",
	chat.ErrQuestionLost: "question_lost", chat.ErrIndex: "bad_index", ErrClosed: "stopped", errNoMessage: "incomplete",
	&conn.DecodeError{Err: assert.AnError}: "unreadable", &chat.JoinError{Err: context.DeadlineExceeded}: "not_joined",
	&conn.SendError{Err: assert.AnError}: "unavailable", context.DeadlineExceeded: "timeout",
	&chat.GapError{}: "gap", &events.AIError{Code: "E1", Message: "secret"}: "E1", &events.AIError{Message: "secret"}: "backend_error",
	errors.New("secret"): "internal",
}

// An endedAnswer has one token, and ends with an error.
type endedAnswer struct{ err error }

func (a endedAnswer) RequestID() string               { return "r1" }
func (a endedAnswer) Wait() (events.AIMessage, error) { return events.AIMessage{}, a.err }
func (a endedAnswer) Abort(string)                    {}

func (a endedAnswer) Follow(context.Context, time.Duration) iter.Seq2[[]events.Event, error] {
	return func(yield func([]events.Event, error) bool) {
		_ = yield([]events.Event{events.AIToken{Token: "We"}}, nil) && yield(nil, a.err)
	}
}

// An endedAsker ends each answer with an error, or does not ask.
type endedAsker struct {
	err  error
	asks bool
}

func (a endedAsker) Ask(context.Context, chat.Question) (endedAnswer, error) {
	if !a.asks {
		return endedAnswer{}, a.err
	}
	return endedAnswer{a.err}, nil
}

// Each ending is an error frame with its code, in each protocol. Nothing looks
// like the end of a whole answer.
func TestStream_endsWithCodeOfEachError(t *testing.T) {
	lastFrame := map[string]string{
		"AI SDK": `"type":"error"`, "SSE": `"code"`, "NDJSON": `"type":"error"`, "OpenAI": `"error":{`, "AG-UI": `"RUN_ERROR"`,
	}
	withSite(t, nil, Config{}, func(t *testing.T, s *site) {
		for err, code := range codes {
			for _, asks := range []bool{true, false} {
				serveAsker(s, endedAsker{err, asks}, Config{})
				for protocol, q := range streamed {
					all := s.status(200, s.send(q[0], q[1], q[2])).body()
					frames := strings.Split(strings.TrimSpace(all), "\n")
					assert.Contains(t, frames[len(frames)-1], lastFrame[protocol], protocol)
					assert.Contains(t, all, `"code":"`+code+`"`, protocol)
					assert.Equal(t, asks, strings.Contains(all, "We"), protocol)
					for _, other := range []string{"[DONE]", `"type":"finish"`, `"stop"`, "ai:message", `"end"`, "RUN_FINISHED", "secret"} {
						assert.NotContains(t, all, other, protocol)
					}
				}
			}
		}
	})
}

// Faults of the backend that end a *chat.Stream.
func TestAnswer_endsWithCodeOfFault(t *testing.T) {
	for _, tc := range []struct {
		code   string
		answer chattest.Answer
		fail   func(s *site)
	}{
		{"no_token", func(ctx context.Context, _ events.UserMessage, _ func(events.Event)) { <-ctx.Done() }, nil},
		{"offline", pauses, func(s *site) { s.backend.Close() }},
		{"stalled", func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
			emit(events.AIToken{Token: "We"})
			<-ctx.Done()
		}, nil},
		{"gap", answerWith(events.AIToken{Token: "a"}, events.AIToken{Token: "c", Index: 2}, events.AIMessage{Text: "other"}), nil},
		{"E1", answerWith(events.AIError{Code: "E1"}), nil},
		{"stopped", pauses, func(s *site) { _ = s.client.Close() }},
	} {
		t.Run(tc.code, func(t *testing.T) {
			withSite(t, tc.answer, Config{AnswerTimeout: 24 * time.Hour}, func(t *testing.T, s *site) {
				r := s.ask("room", "Hi")
				synctest.Wait() // until the question is sent
				if tc.fail != nil {
					tc.fail(s)
				}
				assert.Contains(t, r.until("data-error"), `"code":"`+tc.code+`"`)
				assert.Contains(t, r.frame(), `"type":"error"`)
				assert.Empty(t, r.frames(), "nothing follows an error")
			})
		})
	}
}

// Each error of chat that ends a stream has a code of its own.
func TestProblem_hasCodeForEachEndingOfChat(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../errors.go", nil, parser.ParseComments)
	require.NoError(t, err)
	found := 0
	for _, decl := range file.Decls {
		vars, ok := decl.(*ast.GenDecl)
		if !ok || vars.Tok != token.VAR || !strings.HasPrefix(vars.Doc.Text(), "Errors that end a Stream.") {
			continue
		}
		for _, spec := range vars.Specs {
			found++
			text, err := strconv.Unquote(spec.(*ast.ValueSpec).Values[0].(*ast.CallExpr).Args[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			listed := slices.ContainsFunc(endings, func(e ending) bool { return e.err.Error() == text })
			assert.True(t, listed, "%s has no row in endings", spec.(*ast.ValueSpec).Names[0])
		}
	}
	assert.NotZero(t, found)
}
