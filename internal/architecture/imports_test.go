// Package architecture tests which package of the repository may import which.
package architecture

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/seed67206a74/parley"

// allowed lists the packages of the repository that each package may import:
// code in all of its files, tests in its test files only. External tests may
// also import their own package. The row "examples/..." applies to each
// package below examples without a row of its own; "interop/newcomer/..." does
// the same.
var allowed = map[string]struct{ code, tests []string }{
	"events":    {},
	"reconnect": {},
	"bus":       {tests: []string{"internal/memtest"}},
	"bus/pipe":  {code: []string{"bus"}},

	"internal/guard":    {code: []string{"bus"}},
	"internal/engineio": {},
	"internal/socketio": {},
	"conn": {
		code:  []string{"bus", "internal/engineio", "internal/guard", "internal/observe", "internal/socketio", "reconnect"},
		tests: []string{"events", "internal/memtest", "internal/wiretest"},
	},
	"conn/zishang": {
		code:  []string{"conn", "conn/zishang/internal/argv0"},
		tests: []string{"bus", "internal/wiretest", "reconnect"},
	},
	"conn/zishang/internal/argv0": {},

	"chat": {
		code:  []string{"bus", "conn", "events", "internal/eventsize", "internal/guard", "internal/observe", "internal/socketio", "reconnect"},
		tests: []string{"bus/pipe", "chat/chattest", "internal/memtest", "internal/wiretest"},
	},
	"chat/chattest": {
		code:  []string{"conn", "events", "internal/sioserver", "internal/socketio"},
		tests: []string{"bus", "chat", "internal/wiretest", "reconnect"},
	},
	"chat/chatdebug": {
		code:  []string{"chat", "conn"},
		tests: []string{"bus", "chat/chattest", "events", "reconnect"},
	},
	"chat/chathttp": {
		code:  []string{"chat", "conn", "events", "internal/eventsize"},
		tests: []string{"chat/chattest", "internal/sioserver"},
	},
	"chat/chatnats": {
		code:  []string{"bus", "chat", "conn", "events", "internal/eventsize"},
		tests: []string{"chat/chattest", "internal/wiretest", "reconnect"},
	},
	"chat/chatotel": {
		code:  []string{"bus", "chat", "conn", "events"},
		tests: []string{"chat/chattest"},
	},

	"internal/apilist":           {code: []string{"internal/modules"}},
	"internal/apilist/generate":  {code: []string{"internal/apilist"}},
	"internal/architecture":      {},
	"internal/contract":          {code: []string{"chat", "events"}},
	"internal/contract/generate": {code: []string{"internal/contract"}},
	"internal/mockserver": {
		code:  []string{"chat/chattest", "conn", "events"},
		tests: []string{"chat", "conn", "internal/nodetest", "internal/wiretest", "reconnect"},
	},
	"internal/eventsize":        {code: []string{"events"}},
	"internal/installed":        {},
	"internal/memtest":          {},
	"internal/modules":          {},
	"internal/nginxtest":        {code: []string{"internal/installed"}},
	"internal/nodetest":         {code: []string{"internal/installed"}},
	"internal/observe":          {code: []string{"bus", "internal/guard"}},
	"internal/prose":            {},
	"internal/release":          {code: []string{"internal/modules"}},
	"internal/release/consumer": {code: []string{"chat", "chat/chattest", "events"}},
	"internal/sioserver": {
		code:  []string{"internal/engineio", "internal/socketio"},
		tests: []string{"conn", "reconnect"},
	},
	"internal/wiretest": {code: []string{"conn"}},
	"docs":              {tests: []string{"bus/pipe", "chat/chatdebug", "chat/chathttp", "chat/chattest", "conn"}},

	"cmd/parley": {
		code:  []string{"bus", "bus/pipe", "chat", "conn", "events", "internal/mockserver", "reconnect"},
		tests: []string{"chat/chattest", "internal/wiretest"},
	},

	"examples/internal/exampletest": {},
	"examples/internal/usage":       {},
	"examples/...": {
		code: []string{
			"bus", "bus/pipe", "chat", "chat/chatdebug", "chat/chathttp", "chat/chatnats", "chat/chattest", "conn", "events",
			"examples/internal/usage", "internal/mockserver", "reconnect",
		},
		tests: []string{"examples/internal/exampletest", "internal/installed", "internal/nodetest", "internal/wiretest"},
	},
	"benchmarks":                   {code: []string{"benchmarks/internal/markdown", "bus"}},
	"benchmarks/internal/child":    {},
	"benchmarks/internal/markdown": {},
	"benchmarks/load":              {code: []string{"benchmarks/internal/child", "benchmarks/internal/markdown", "bus", "chat", "chat/chatotel", "conn", "events", "internal/sioserver"}},
	"benchmarks/web":               {code: []string{"benchmarks/internal/child", "benchmarks/internal/markdown", "chat", "chat/chathttp", "chat/chattest", "events"}},
	"benchmarks/nats":              {code: []string{"benchmarks/internal/markdown", "bus", "chat/chatnats", "events"}},
	"benchmarks/wire":              {code: []string{"benchmarks/internal/child", "benchmarks/internal/markdown", "bus", "chat", "conn", "events"}},
	"interop":                      {tests: []string{"chat", "conn", "events", "internal/installed", "internal/nginxtest", "internal/nodetest", "internal/wiretest", "reconnect"}},
	"interop/browser":              {tests: []string{"internal/installed"}},
	"interop/chaos":                {tests: []string{"bus", "chat", "conn", "events", "internal/installed", "internal/nodetest", "internal/wiretest", "reconnect"}},
	"interop/collector":            {tests: []string{"chat", "chat/chatotel", "chat/chattest", "events"}},
	"interop/conformance":          {tests: []string{"bus", "conn", "conn/zishang", "internal/nodetest", "interop/server", "reconnect"}},
	"interop/newcomer/...":         {code: []string{"bus/pipe", "chat", "conn", "events"}, tests: []string{"chat/chattest"}},
	"interop/server":               {code: []string{"internal/sioserver"}, tests: []string{"internal/nodetest"}},
	"interop/web":                  {tests: []string{"chat", "chat/chathttp", "chat/chatnats", "chat/chattest", "conn", "events", "internal/installed", "internal/nginxtest"}},
	"interop/zishang":              {tests: []string{"conn", "conn/zishang", "internal/wiretest"}},
}

// Every package of every module has a row, and imports only packages that its
// row lists. Files of all platforms and build tags are read.
func TestImports_areInTable(t *testing.T) {
	used := map[string]bool{}
	for pkg, imports := range packages(t) {
		row := pkg
		for _, dir := range []string{"examples/", "interop/newcomer/"} {
			if _, own := allowed[pkg]; !own && strings.HasPrefix(pkg, dir) {
				row = dir + "..."
			}
		}
		used[row] = true
		rule, ok := allowed[row]
		if !assert.True(t, ok, "package %s has no row in the table of allowed imports", pkg) {
			continue
		}
		for imported, file := range imports.code {
			assert.Contains(t, rule.code, imported, "%s: this import is not allowed", file)
		}
		for imported, file := range imports.tests {
			assert.Contains(t, slices.Concat(rule.code, rule.tests, []string{pkg}), imported, "%s: this import is not allowed", file)
		}
	}
	for row := range allowed {
		assert.True(t, used[row], "the row %s has no package", row)
	}
}

// imports are the packages of the repository that a package imports, each with
// a file that imports it.
type imports struct{ code, tests map[string]string }

// packages reads the imports of all packages of the repository, by their path
// in it.
func packages(t *testing.T) map[string]imports {
	t.Helper()
	const root = "../.."
	all := map[string]imports{}
	require.NoError(t, filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		switch {
		case d.IsDir():
			if file != root && (name[0] == '.' || name[0] == '_' || name == "testdata" || name == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		case !strings.HasSuffix(name, ".go"):
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(rel)
		if _, ok := all[pkg]; !ok {
			all[pkg] = imports{map[string]string{}, map[string]string{}}
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module+"/")
			switch {
			case !ours:
			case strings.HasSuffix(name, "_test.go"):
				all[pkg].tests[imported] = file
			default:
				all[pkg].code[imported] = file
			}
		}
		return nil
	}))
	require.Contains(t, all, "chat")
	return all
}
