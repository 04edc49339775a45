package usage

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSet_writesDescriptionAndFlags(t *testing.T) {
	var out bytes.Buffer
	flag.CommandLine = flag.NewFlagSet("example", flag.ContinueOnError)
	flag.CommandLine.SetOutput(&out)
	flag.Int("count", 3, "the `number` of rounds")
	Set("example [flags]", "Example counts.")
	flag.Usage()
	assert.Equal(t, "Example counts.\n\n  example [flags]\n\n  -count number\n    \tthe number of rounds (default 3)\n", out.String())
}

func TestSet_isCalledByEachExample(t *testing.T) {
	examples, err := filepath.Glob("../../*/main.go")
	require.NoError(t, err)
	require.NotEmpty(t, examples)
	for _, example := range examples {
		source, err := os.ReadFile(example)
		require.NoError(t, err)
		assert.Regexp(t, `usage\.Set\("|flags\.Usage = `, string(source), example)
	}
}
