package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPage_runsFromFirstToLastCommand runs the commands of the section
// "Operating" of docs/chatnats.md with a shell, in the order of the page. Only
// the two ports are replaced by free ones.
func TestPage_runsFromFirstToLastCommand(t *testing.T) {
	page, err := os.ReadFile("../../docs/chatnats.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## Operating\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	script := "set -e\n"
	for _, fence := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1) {
		script += fence[1]
	}
	for _, port := range []string{"4222", "4000"} {
		require.Contains(t, script, "127.0.0.1:"+port)
		script = strings.ReplaceAll(script, "127.0.0.1:"+port, freeAddress(t))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", script)
	shell.Dir = "../.."
	// The page uses the workspace, and with -trimpath the packages that make
	// lint has compiled.
	shell.Env = append(os.Environ(), "GOWORK=", "GOFLAGS=-trimpath", "TMPDIR="+t.TempDir())
	shell.WaitDelay = time.Second
	out, err := shell.CombinedOutput()
	said := string(out)
	require.NoError(t, err, said)
	require.NotContains(t, said, "ermissions Violation")
	for _, want := range []string{
		`(?m)^holds the socket$`,
		`(?m)^answer to question-3: `,
		`(?m)^holder: holder-\d$`,
		`(?m)^word-count: \d+ pending, \d+ unacknowledged, \d+ active$`,
		`(?m)^dead letters: 0$`,
		`(?s)word-count: .*holder: holder-\d\ndead letters: 0`, // the second time without the group
	} {
		require.Regexp(t, want, said)
	}
}

// freeAddress returns an address on which no server listens.
func freeAddress(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
