package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/examples/internal/exampletest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain runs the program instead of the tests if SERVICE is set.
func TestMain(m *testing.M) {
	if arguments := os.Getenv("SERVICE"); arguments != "" {
		os.Args = append([]string{"service"}, strings.Fields(arguments)...)
		main()
		return
	}
	exampletest.Main(m, main)
}

func TestService_reportsMissingServer(t *testing.T) {
	exampletest.ReportsMissingServer(t, "connection refused", 0, "-url", exampletest.NoServer, "-addr", "127.0.0.1:0")
}

func TestService_finishesAnswersAfterSignal(t *testing.T) {
	backend, finish := halfway(t)
	service := start(t, backend.URL, "1m")
	answers := []*bufio.Reader{service.ask(t), service.ask(t), service.ask(t)}

	require.NoError(t, service.Process.Signal(syscall.SIGTERM))
	require.Equal(t, "service: draining, answers in progress: 3\n", service.line(t))
	_, err := http.Get(service.url + "/healthz")
	require.ErrorIs(t, err, syscall.ECONNREFUSED, "new connections are refused")
	backend.CloseClientConnections() // the answers continue after a reconnect
	close(finish)

	for _, answer := range answers {
		rest, err := io.ReadAll(answer)
		require.NoError(t, err)
		assert.Equal(t, " is better than none.", string(rest))
	}
	assert.Equal(t, "service: drained\n", service.line(t))
	assert.NoError(t, service.Wait(), "exit status 0")
	assert.Empty(t, backend.Received("ai:abort"))
}

func TestService_answersWaitingQuestionAfterSignal(t *testing.T) {
	reachable := make(chan struct{})
	backend := chattest.NewServer(chattest.Config{Middleware: func(backend http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-reachable:
				backend.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		})
	}})
	defer backend.Close()
	service := start(t, backend.URL, "1m")

	accepted := make(chan struct{})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(accepted) }})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, service.url+"/ask", strings.NewReader("How much?"))
	require.NoError(t, err)
	request.Header.Set("Expect", "100-continue") // the reply shows that the handler reads the body
	answered := make(chan string, 1)
	go func() { // ends with the answer
		defer close(answered)
		response, err := http.DefaultClient.Do(request)
		if !assert.NoError(t, err) {
			return
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		assert.NoError(t, err)
		answered <- string(answer)
	}()
	<-accepted
	require.NoError(t, service.Process.Signal(syscall.SIGTERM))
	require.Equal(t, "service: draining, answers in progress: 1\n", service.line(t))
	close(reachable)
	assert.Equal(t, "You said: How much?", <-answered)
	assert.Equal(t, "service: drained\n", service.line(t))
	assert.NoError(t, service.Wait(), "exit status 0")
	http.DefaultClient.CloseIdleConnections()
}

func TestService_abortsAnswersAfterDrainTimeout(t *testing.T) {
	backend, _ := halfway(t)
	service := start(t, backend.URL, "1ms")
	answer := service.ask(t)

	require.NoError(t, service.Process.Signal(os.Interrupt))
	_, err := io.ReadAll(answer)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "the answer does not look complete")
	backend.Expect(t, "ai:abort", nil)
	_, _ = io.Copy(io.Discard, service.out)
	failure, ok := errors.AsType[*exec.ExitError](service.Wait())
	require.True(t, ok)
	assert.Equal(t, 1, failure.ExitCode())
	assert.Contains(t, service.stderr.String(), "service: drain timeout after 1ms, unfinished answers: 1\n")
}

func TestService_failsWhenAnswersAreLostDuringDrain(t *testing.T) {
	backend, _ := halfway(t)
	service := start(t, backend.URL, "1h")
	answer := service.ask(t)

	require.NoError(t, service.Process.Signal(syscall.SIGTERM))
	require.Equal(t, "service: draining, answers in progress: 1\n", service.line(t))
	backend.Sockets()[0].Disconnect()
	_, err := io.ReadAll(answer)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "the answer does not look complete")
	_, _ = io.Copy(io.Discard, service.out)
	failure, ok := errors.AsType[*exec.ExitError](service.Wait())
	require.True(t, ok)
	assert.Equal(t, 1, failure.ExitCode())
	assert.Contains(t, service.stderr.String(), "service: conn: disconnected by the server\n")
}

func TestService_exitsOnSecondSignal(t *testing.T) {
	backend, _ := halfway(t)
	service := start(t, backend.URL, "1h")
	answer := service.ask(t)

	require.NoError(t, service.Process.Signal(syscall.SIGTERM))
	require.Equal(t, "service: draining, answers in progress: 1\n", service.line(t))
	require.NoError(t, service.Process.Signal(syscall.SIGTERM))
	_, err := io.ReadAll(answer)
	assert.Error(t, err)
	failure, ok := errors.AsType[*exec.ExitError](service.Wait())
	require.True(t, ok)
	assert.Equal(t, syscall.SIGTERM, failure.Sys().(syscall.WaitStatus).Signal())
}

// halfway starts a backend. Each answer stops after its first token until
// finish is closed.
func halfway(t *testing.T) (backend *chattest.Server, finish chan struct{}) {
	finish = make(chan struct{})
	backend = chattest.NewServer(chattest.Config{
		Recovery: time.Minute,
		Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
			emit(events.AIToken{Token: "Half"})
			select {
			case <-finish:
				emit(events.AIToken{Token: " is better than none.", Index: 1})
				emit(events.AIMessage{
					MessageID: "m", Role: "assistant", Text: "Half is better than none.", CreatedAt: time.Now(),
				})
			case <-ctx.Done():
			}
		},
	})
	t.Cleanup(backend.Close)
	return backend, finish
}

// A process is the running program.
type process struct {
	*exec.Cmd
	url    string
	out    *bufio.Reader
	stderr strings.Builder
}

// start starts the program and returns when it listens.
func start(t *testing.T, backend, drain string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), os.Args[0])}
	p.Env = append(os.Environ(), "SERVICE=-addr 127.0.0.1:0 -url "+backend+" -drain "+drain)
	p.Stderr = &p.stderr
	out, err := p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	p.out = bufio.NewReader(out)
	url, ok := strings.CutPrefix(p.line(t), "service: listening on ")
	require.True(t, ok, url)
	p.url = strings.TrimSpace(url)
	return p
}

// line returns the next line that the program prints.
func (p *process) line(t *testing.T) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	require.NoError(t, err)
	return line
}

// ask sends a question, reads the first half of the answer, and returns a
// reader of the rest.
func (p *process) ask(t *testing.T) *bufio.Reader {
	t.Helper()
	response, err := http.Post(p.url+"/ask", "text/plain", strings.NewReader("How much?"))
	require.NoError(t, err)
	t.Cleanup(func() {
		response.Body.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	require.Equal(t, http.StatusOK, response.StatusCode)
	half := make([]byte, len("Half"))
	_, err = io.ReadFull(response.Body, half)
	require.NoError(t, err)
	require.Equal(t, "Half", string(half))
	return bufio.NewReader(response.Body)
}
