package modules

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, root string, files map[string]string) {
	for name, content := range files {
		file := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
	}
}

func TestFind_nestedModules(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{
		"go.mod":                     "module example.com/m\n",
		"-first/go.mod":              "module example.com/m/first\n",
		"a/b/go.mod":                 "module example.com/m/a/b\nrequire example.com/m v0.0.0\nreplace example.com/m => ../..\n",
		".ci/go.mod":                 "module example.com/m/ci\n",
		"a/testdata/x/go.mod":        "module example.com/x\n",
		"web/node_modules/x/go.mod":  "module example.com/y\n",
		"_old/go.mod":                "module example.com/z\n",
		"a/b/vendor/x.org/go.mod":    "module x.org\n",
		"a/b/notamodule/go.mod.tmpl": "module no\n",
	})
	found, err := Find(root)
	require.NoError(t, err)
	assert.Equal(t, []Module{
		{Path: "example.com/m", Dir: "."},
		{Path: "example.com/m/first", Dir: "-first"},
		{Path: "example.com/m/a/b", Dir: "a/b", Require: []Requirement{{"example.com/m", "v0.0.0"}}, Replace: []string{"example.com/m"}},
	}, found)
}

func TestFind_errors(t *testing.T) {
	root := t.TempDir()
	_, err := Find(root)
	assert.ErrorContains(t, err, "no go.mod")
	write(t, root, map[string]string{"go.mod": "modul x\n"})
	_, err = Find(root)
	assert.ErrorContains(t, err, "unknown directive")
}

func TestPackages_kinds(t *testing.T) {
	root := t.TempDir()
	const library, program = "package p\n", "package main\n\nfunc main() {}\n"
	write(t, root, map[string]string{
		"a/b/go.mod":                 "module example.com/m/a/b\n",
		"a/b/p.go":                   library,
		"a/b/tool/p.go":              program,
		"a/b/internal/p.go":          library,
		"a/b/tests/p_test.go":        library,
		"examples/go.mod":            "module example.com/m/examples\n",
		"examples/run/p.go":          program,
		"examples/helper/p.go":       library,
		"examples/internal/run/p.go": program,
	})
	kinds := func(m Module) map[string]string {
		packages, err := Packages(root, m)
		require.NoError(t, err)
		kinds := map[string]string{}
		for _, p := range packages {
			switch {
			case p.IsLibrary():
				kinds[p.Dir] = "library"
			case p.IsCommand():
				kinds[p.Dir] = "command"
			default:
				kinds[p.Dir] = ""
			}
		}
		return kinds
	}
	assert.Equal(t, map[string]string{"a/b": "library", "a/b/tool": "", "a/b/internal": ""}, kinds(Module{Path: "example.com/m/a/b", Dir: "a/b"}))
	assert.Equal(t, map[string]string{"examples/run": "command", "examples/helper": "", "examples/internal/run": ""},
		kinds(Module{Path: "example.com/m/examples", Dir: "examples"}))
}
