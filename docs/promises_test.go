package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each sentence of the manuals and of the page about delivery is in a table of
// testdata/promises, with the tests that show it. A sentence after "- " only
// describes. Rows of tables count as sentences.
//
// PARLEY_PROMISES=write brings the tables up to date with the documents. A new
// sentence gets the test "?", which does not exist.
func TestPromises_nameTheirTests(t *testing.T) {
	tests := testsOfAllModules(t)
	for table, passages := range map[string][]passage{
		"bus":                 manual(t, "bus"),
		"conn":                manual(t, "conn"),
		"chat":                manual(t, "chat"),
		"delivery-guarantees": page(t, "delivery-guarantees.md"),
	} {
		t.Run(table, func(t *testing.T) {
			file := filepath.Join("testdata", "promises", table+".txt")
			promises := readPromises(t, file)
			if os.Getenv("PARLEY_PROMISES") == "write" {
				require.NoError(t, os.WriteFile(file, []byte(formatPromises(passages, promises)), 0o644))
				promises = readPromises(t, file)
			}
			var stated, listed []string
			for _, p := range passages {
				stated = append(stated, p.text)
			}
			for _, p := range promises {
				listed = append(listed, p.text)
				for _, name := range p.tests {
					assert.True(t, tests[name], "no such test: %s, of: %s", name, p.text)
				}
			}
			assert.Equal(t, stated, listed, "PARLEY_PROMISES=write go test -run Promises ./docs")
		})
	}
}

// A promise is a sentence with its tests. A description has none.
type promise struct {
	text  string
	tests []string
}

func readPromises(t *testing.T, file string) (all []promise) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		description, isDescription := strings.CutPrefix(line, "- ")
		switch {
		case line == "", strings.HasPrefix(line, "# "):
		case isDescription:
			all = append(all, promise{text: description})
		case strings.HasPrefix(line, "\t"):
			require.NotEmpty(t, all, line)
			all[len(all)-1].tests = strings.Fields(line)
		default:
			all = append(all, promise{line, []string{"?"}}) // the tests follow
		}
	}
	return all
}

// formatPromises returns a table of the sentences of a document, with the tests
// of known ones.
func formatPromises(passages []passage, known []promise) string {
	var b strings.Builder
	section := ""
	for _, p := range passages {
		if p.section != section {
			section = p.section
			b.WriteString("\n# " + section + "\n")
		}
		tests := []string{"?"}
		if i := slices.IndexFunc(known, func(k promise) bool { return k.text == p.text }); i >= 0 {
			tests = known[i].tests
		}
		if tests == nil {
			b.WriteString("- " + p.text + "\n")
		} else {
			b.WriteString(p.text + "\n\t" + strings.Join(tests, " ") + "\n")
		}
	}
	return strings.TrimPrefix(b.String(), "\n")
}

var testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// testsOfAllModules returns the names of all tests.
func testsOfAllModules(t *testing.T) map[string]bool {
	names := map[string]bool{}
	require.NoError(t, filepath.WalkDir("..", func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "node_modules":
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(path)
		for _, m := range testFunc.FindAllStringSubmatch(string(source), -1) {
			names[m[1]] = true
		}
		return err
	}))
	return names
}
