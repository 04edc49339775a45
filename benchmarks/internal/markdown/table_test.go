package markdown

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRewrite_replacesOnlyTextBetweenMarkers(t *testing.T) {
	name := filepath.Join(t.TempDir(), "README.md")
	require.NoError(t, os.WriteFile(name, []byte("head\n"+begin+"old\n"+end+"\ntail\n"), 0o600))
	for range 2 { // the second time replaces the text of the first
		require.NoError(t, Rewrite(name, "new\n"))
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Equal(t, "head\n"+begin+"\nnew\n\n"+end+"\ntail\n", string(text))
	}
}

func TestBetween_failsWithoutMarkers(t *testing.T) {
	for _, text := range []string{"", "no markers", begin, end + begin} {
		_, err := Between(text, "new\n")
		assert.ErrorIs(t, err, errNoMarkers, text)
	}
}
