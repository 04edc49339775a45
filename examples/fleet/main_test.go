package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFleet_answersAfterHolderIsKilled(t *testing.T) {
	program := filepath.Join(t.TempDir(), "fleet")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	out, err = exec.CommandContext(t.Context(), program).CombinedOutput()
	require.NoError(t, err, string(out))
	said := string(out)
	for _, want := range []string{
		`(?s)holder-\d +holds the socket.*fleet +kills holder-\d.*holder-\d +holds the socket`,
		`front +answer to question-4: You said: what is 4 times 4\?`,
		`worker-\d +counted 7 words in the answer to question-1`,
	} {
		require.Regexp(t, regexp.MustCompile(want), said)
	}
}
