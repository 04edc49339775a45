package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/examples/internal/exampletest"
	"github.com/seed67206a74/parley/internal/installed"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestWebchat_reportsMissingServer(t *testing.T) {
	exampletest.ReportsMissingServer(t, "not connected yet: ", 0, "-backend", exampletest.NoServer, "-addr", "127.0.0.1:0")
}

func TestWebchat_endsWhenBackendRefusesIt(t *testing.T) {
	refused := errors.New("no such client")
	backend := chattest.NewServer(chattest.Config{Auth: func(map[string]any) error { return refused }})
	defer backend.Close()
	err := run(t.Context(), io.Discard, "localhost:0", backend.URL)
	assert.ErrorContains(t, err, refused.Error())
}

// serve starts the program with a mock backend, and returns its URL and a
// browser that has loaded the page.
func serve(t *testing.T) (url string, browser *http.Client) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, in, "localhost:0", "") }()
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	url = regexp.MustCompile(`http://\S+`).FindString(line)
	line, err = lines.ReadString('\n')
	require.NoError(t, err)
	assert.Regexp(t, `^webchat: backend: http://.*, connected\n$`, line)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser = &http.Client{Transport: &http.Transport{}, Jar: jar}
	t.Cleanup(func() {
		browser.CloseIdleConnections()
		stop()
		require.NoError(t, <-ended)
	})
	response, err := browser.Get(url)
	require.NoError(t, err)
	page, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Contains(t, string(page), `src="/app.js"`)
	return url, browser
}

func TestWebchat_streamsAnswerAndResumesIt(t *testing.T) {
	url, browser := serve(t)
	question := `{"id":"a","messages":[{"role":"user","parts":[{"type":"text","text":"What time is it?"}]}]}`
	ask := func(browser *http.Client) *http.Response {
		t.Helper()
		response, err := browser.Post(url+"/api/chat", "application/json", strings.NewReader(question))
		require.NoError(t, err)
		t.Cleanup(func() { _ = response.Body.Close() })
		return response
	}
	answer, err := io.ReadAll(ask(browser).Body)
	require.NoError(t, err)
	assert.Contains(t, string(answer), `"toolName":"clock"`)
	assert.Contains(t, string(answer), `"zone":"UTC"`)
	assert.True(t, bytes.HasSuffix(answer, []byte("data: [DONE]\n\n")))

	response, err := browser.Get(url + "/api/chat/a/stream")
	require.NoError(t, err)
	again, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, string(answer), string(again))

	stranger := &http.Client{Transport: browser.Transport}
	assert.Equal(t, http.StatusUnauthorized, ask(stranger).StatusCode)
}

// The folder dist is the build of the folder page.
func TestPage_isBuilt(t *testing.T) {
	vite, err := filepath.Abs("page/node_modules/vite/bin/vite.js")
	require.NoError(t, err)
	_, err = os.Stat(vite)
	installed.Need(t, err, "make examples/webchat/page/node_modules")
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "node", vite, "build", "--outDir", dir, "--logLevel", "error")
	build.Dir = "page"
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	built, err := os.ReadDir(dir)
	require.NoError(t, err)
	committed, err := dist.ReadDir("dist")
	require.NoError(t, err)
	require.Len(t, committed, len(built))
	for _, file := range built {
		want, err := os.ReadFile(filepath.Join(dir, file.Name()))
		require.NoError(t, err)
		got, err := dist.ReadFile("dist/" + file.Name())
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, got), "%s is not the build of the page: run npm run build in the folder page", file.Name())
	}
}
