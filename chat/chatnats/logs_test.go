package chatnats

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLogMessages_areInTheTableOfThePage(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	logged := map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`log\.(Debug|Info|Warn|Error)\("([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
			logged[m[2]] = m[1]
		}
	}
	page, err := os.ReadFile("../../docs/chatnats.md")
	require.NoError(t, err)
	listed := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(chatnats: [^`]+)` \\| (\\w+) \\|").FindAllStringSubmatch(string(page), -1) {
		listed[m[1]] = m[2]
	}
	require.Equal(t, logged, listed)
}
