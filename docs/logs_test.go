package docs

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The table of messages in operating.md has each message that the library
// logs, with its fields, and no other.
func TestLogMessages_matchTableInOperatingPage(t *testing.T) {
	_, section, _ := strings.Cut(read(t, "operating.md"), "## Logs")
	section, _, _ = strings.Cut(section, "\n## ")
	listed := map[string][]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`|]*)` \\|[^|]*\\|([^|]*)\\|").FindAllStringSubmatch(section, -1) {
		listed[m[1]] = nil
		for _, field := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(m[2], -1) {
			listed[m[1]] = append(listed[m[1]], field[1])
		}
	}
	logged := map[string]bool{}
	for _, call := range logCalls(t) {
		for _, message := range call.messages {
			logged[message] = true
			if assert.Contains(t, listed, message, "%s: logged, but not in the list", call.at) {
				assert.ElementsMatch(t, call.fields, listed[message], "%s: the fields of %q", call.at, message)
			}
		}
	}
	for message := range listed {
		assert.True(t, logged[message], "%q is in the list, but not logged", message)
	}
}

// A logCall is a place where something is logged.
type logCall struct {
	at       token.Position
	messages []string
	fields   []string
}

// logCalls finds the calls of slog in the library: not in its examples, its
// benchmarks and its tests.
func logCalls(t *testing.T) []logCall {
	c := newChecker(t, nil)
	var calls []logCall
	for _, dir := range []string{"bus", "chat", "conn", "events", "internal/observe", "reconnect"} {
		require.NoError(t, filepath.WalkDir(filepath.Join("..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil || d.Name() == "testdata" {
				return filepath.SkipDir // another module has a page of its own
			}
			calls = append(calls, c.logCallsIn(t, path)...)
			return nil
		}))
	}
	require.NotEmpty(t, calls)
	return calls
}

func (c *checker) logCallsIn(t *testing.T, dir string) []logCall {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	var files []*ast.File
	for _, path := range paths {
		if !strings.HasSuffix(path, "_test.go") {
			file, err := parser.ParseFile(c.files, path, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			files = append(files, file)
		}
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}}
	// Errors are ignored: imports that the tests do not need may be missing.
	config := types.Config{Importer: c.imports, Error: func(error) {}}
	_, _ = config.Check(dir, c.files, files, info)

	var calls []logCall
	for _, file := range files {
		for _, decl := range file.Decls {
			ast.Inspect(decl, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if arg, more, ok := message(info, call); ok {
						calls = append(calls, logCall{c.files.Position(call.Pos()), messages(info, call.Args[arg], decl), append(more, fields(info, call.Args[arg+1:])...)})
					}
				}
				return true
			})
		}
	}
	return calls
}

// message returns the index of the message among the arguments of a call, if
// the call is one of slog or guard.Log, and the fields that the latter adds.
func message(info *types.Info, call *ast.CallExpr) (arg int, more []string, ok bool) {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return 0, nil, false
	}
	f, ok := info.Uses[selector.Sel].(*types.Func)
	if !ok || f.Pkg() == nil {
		return 0, nil, false
	}
	switch path := f.Pkg().Path(); {
	case strings.HasSuffix(path, "/internal/guard") && f.Name() == "Log":
		return 2, []string{"panic", "stack"}, true
	case path != "log/slog":
		return 0, nil, false
	}
	switch f.Name() {
	case "Debug", "Info", "Warn", "Error":
		return 0, nil, true
	case "DebugContext", "InfoContext", "WarnContext", "ErrorContext":
		return 1, nil, true
	case "Log", "LogAttrs":
		return 2, nil, true
	}
	return 0, nil, false
}

// messages returns the possible messages of an argument: a constant, or a
// constant followed by each phase of a connection. For a variable they are the
// constants in the same function that begin with a package name.
func messages(info *types.Info, arg ast.Expr, in ast.Decl) []string {
	if text, ok := text(info, arg); ok {
		return []string{text}
	}
	var found []string
	if sum, ok := arg.(*ast.BinaryExpr); ok {
		prefix, _ := text(info, sum.X)
		for phase := conn.Connecting; phase <= conn.Stopped; phase++ {
			found = append(found, prefix+phase.String())
		}
		return found
	}
	ast.Inspect(in, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok {
			if text, ok := text(info, literal); ok && regexp.MustCompile(`^[a-z]+: `).MatchString(text) {
				found = append(found, text)
			}
		}
		return true
	})
	return found
}

// fields returns the keys of the attributes.
func fields(info *types.Info, args []ast.Expr) []string {
	var keys []string
	for i := 0; i < len(args); i++ {
		// slog.String(key, value) and similar calls
		if call, ok := args[i].(*ast.CallExpr); ok && len(call.Args) == 2 {
			if key, ok := text(info, call.Args[0]); ok {
				keys = append(keys, key)
				continue
			}
		}
		key, _ := text(info, args[i])
		keys = append(keys, key)
		i++ // its value
	}
	slices.Sort(keys)
	return keys
}

func text(info *types.Info, e ast.Expr) (string, bool) {
	value := info.Types[e].Value
	if value == nil || value.Kind() != constant.String {
		return "", false
	}
	return constant.StringVal(value), true
}
