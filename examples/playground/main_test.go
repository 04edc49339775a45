package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/examples/internal/exampletest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestPlayground_reportsMissingServer(t *testing.T) {
	exampletest.ReportsMissingServer(t, "no server on ", 0, "-backend", exampletest.NoServer, "-addr", "127.0.0.1:0")
}

// serve serves a playground in front of a backend until the test ends, and
// returns its URL.
func serve(t *testing.T, backend string) string {
	t.Helper()
	p, err := newPlayground(backend, "")
	require.NoError(t, err)
	server := httptest.NewServer(p.handler())
	t.Cleanup(server.Close) // waits for the streams
	return server.URL
}

// backend starts a chat backend that ends with the test.
func backend(t *testing.T, cfg chattest.Config) *chattest.Server {
	t.Helper()
	server := chattest.NewServer(cfg)
	t.Cleanup(server.Close)
	return server
}

// A tab sends and receives as the page does.
type tab struct {
	t      *testing.T
	url    string
	id     string
	stream *bufio.Scanner
	close  func()
	passed []event // events read while waiting for another kind
}

// An event is an event of the stream.
type event struct{ kind, data string }

func open(t *testing.T, playground, user string) *tab {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	query := url.Values{"user": {user}, "room": {"lobby"}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, playground+"/stream?"+query.Encode(), nil)
	require.NoError(t, err)
	transport := &http.Transport{}
	response, err := transport.RoundTrip(request)
	require.NoError(t, err)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	b := &tab{t: t, url: playground, stream: bufio.NewScanner(response.Body)}
	b.close = func() {
		cancel()
		_ = response.Body.Close()
		transport.CloseIdleConnections()
	}
	t.Cleanup(b.close)
	b.id = wait(b, "hello", func(hello struct{ Session string }) bool { return true }).Session
	return b
}

// next returns the next event of the stream.
func (b *tab) next() (kind, data string) {
	b.t.Helper()
	for b.stream.Scan() {
		switch line := b.stream.Text(); {
		case strings.HasPrefix(line, "event: "):
			kind = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			return kind, line[len("data: "):]
		}
	}
	require.FailNow(b.t, "the stream has ended", "%v; events not waited for: %v", b.stream.Err(), b.passed)
	panic("unreachable")
}

// wait returns the next event of a kind that fits. It keeps events of other
// kinds, because the order between kinds is not fixed.
func wait[T any](b *tab, kind string, fits func(T) bool) T {
	b.t.Helper()
	for i := 0; ; i++ {
		if i == len(b.passed) {
			is, data := b.next()
			b.passed = append(b.passed, event{is, data})
		}
		e := b.passed[i]
		if e.kind != kind {
			continue
		}
		b.passed = slices.Delete(b.passed, i, i+1)
		i--
		var value T
		require.NoError(b.t, json.Unmarshal([]byte(e.data), &value), e.data)
		if fits(value) {
			return value
		}
	}
}

// ready waits until the tab's client is in its room.
func (b *tab) ready() {
	b.t.Helper()
	wait(b, "state", func(s connState) bool { return s.Phase == "ready" })
	b.receive("PRESENCE_UPDATE")
}

// A receivedEvent is an event of the chat as the page receives it.
type receivedEvent struct {
	Key     string
	Payload struct {
		RequestID, MessageID, UserID, Text, Token string
		Message, Code                             string
		Index                                     int
		OnlineUserIDs                             []string
	}
}

func (b *tab) receive(key string) receivedEvent {
	b.t.Helper()
	return wait(b, "chat", func(e receivedEvent) bool { return e.Key == key })
}

// post sends a command.
func (b *tab) post(command, body string) (status int, text string) {
	b.t.Helper()
	return post(b.t, fmt.Sprintf("%s/sessions/%s/%s", b.url, b.id, command), body)
}

func post(t *testing.T, address, body string, header ...string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, strings.TrimSpace(string(answer))
}

func TestPlayground_servesPageUntilContextEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, in, "127.0.0.1:0", "http://127.0.0.1:1", "") }() // ends with stop
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	address := strings.Fields(line)[2]
	second, err := lines.ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, second, "no server on http://127.0.0.1:1")

	transport := &http.Transport{DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	response, err := transport.RoundTrip(request)
	require.NoError(t, err)
	page, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	response.Body.Close()
	assert.Contains(t, string(page), "<title>Parley playground</title>")
	assert.Contains(t, response.Header.Get("Content-Security-Policy"), "default-src 'none'")

	open(t, address, "ada") // a tab that is still open at the end
	stop()
	assert.NoError(t, <-ended)

	assert.ErrorContains(t, run(t.Context(), io.Discard, "127.0.0.1:-1", "http://127.0.0.1:1", ""), "invalid port")
	assert.Error(t, run(t.Context(), io.Discard, "127.0.0.1:0", "ftp://127.0.0.1", ""), "the backend's URL is invalid")
}
