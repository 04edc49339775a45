package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tables of troubleshooting.md have each error text of the library, with a
// meaning and a remedy, and no other. PARLEY_ERRORS=write adds the missing
// rows, with the last two columns empty.
func TestErrorTexts_matchTroubleshootingPage(t *testing.T) {
	page := read(t, "troubleshooting.md")
	if os.Getenv("PARLEY_ERRORS") == "write" {
		page = addRows(page, errorTexts(t))
		require.NoError(t, os.WriteFile("troubleshooting.md", []byte(page), 0o644))
	}
	for _, problem := range compareRows(page, errorTexts(t)) {
		t.Error(problem)
	}
}

func TestCompareRows_findsMissingStaleAndIncompleteRows(t *testing.T) {
	texts := map[string]map[string]token.Position{
		"bus":  {"bus: closed": {Filename: "a.go", Line: 3}},
		"conn": {"a|b": {Filename: "b.go", Line: 5}},
	}
	const page = "## bus\n\n" + header + "| `bus: closed` | m | r |\n\n## conn\n\n" + header + "| `a\\|b` | m | r |\n"
	assert.Empty(t, compareRows(page, texts))
	assert.Equal(t, []string{
		"troubleshooting.md, bus: `bus: closed` lacks a meaning or a remedy",
	}, compareRows(strings.Replace(page, "| r |", "| |", 1), texts))
	assert.Equal(t, []string{
		"b.go:5: troubleshooting.md has no row in the section conn: a|b",
		"troubleshooting.md, conn: the library does not return this text: a|c",
	}, compareRows(strings.Replace(page, "|b`", "|c`", 1), texts))
	assert.Equal(t, []string{
		"troubleshooting.md, bus: `bus: closed` stands twice",
	}, compareRows(strings.Replace(page, "| m | r |\n", "| m | r |\n| `bus: closed` | m | r |\n", 1), texts))

	added := addRows(header, texts)
	assert.Equal(t, []string{
		"troubleshooting.md, bus: `bus: closed` lacks a meaning or a remedy",
		"troubleshooting.md, conn: `a\\|b` lacks a meaning or a remedy",
	}, compareRows(added, texts))
	assert.Equal(t, added, addRows(added, texts))
}

func TestErrorTextsIn_findsTextsOfPackage(t *testing.T) {
	const source = `package p

import ("errors"; "fmt")

var ErrGone = errors.New("p: gone")

type T struct{}

func (T) Error() string {
	text := "p: refused"
	if cond {
		text += ": " + reason
	}
	return text + " by " + name
}

func f() error {
	_ = fmt.Errorf("%w: %w: %5d%% of %q", ErrGone, err, 1, name)
	_ = fmt.Errorf("%w: %v", ErrGone, err)
	_ = versionError("too old")
	return errors.New("p: " + name + " is empty")
}
`
	path := filepath.Join(t.TempDir(), "p.go")
	require.NoError(t, os.WriteFile(path, []byte(source), 0o600))
	assert.Equal(t, []string{
		"p: gone", "p: gone: …: …% of …", "p: refused", "p: … is empty", "too old", "… by …",
	}, slices.Sorted(maps.Keys(errorTextsIn(t, filepath.Dir(path)))))
}

const header = "| text | meaning | remedy |\n|---|---|---|\n"

var (
	section = regexp.MustCompile(`(?m)^## (\S+)$`)
	row     = regexp.MustCompile("(?m)^\\| `((?:[^`|]|\\\\\\|)*)` \\|([^|]*)\\|([^|]*)\\|$")
)

// compareRows returns the differences between the tables of the page and the
// texts of each package.
func compareRows(page string, texts map[string]map[string]token.Position) (problems []string) {
	listed := map[string]map[string]bool{}
	starts := section.FindAllStringSubmatchIndex(page, -1)
	for i, at := range starts {
		name, end := page[at[2]:at[3]], len(page)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		listed[name] = map[string]bool{}
		for _, m := range row.FindAllStringSubmatch(page[at[1]:end], -1) {
			text := strings.ReplaceAll(m[1], `\|`, "|")
			if listed[name][text] {
				problems = append(problems, fmt.Sprintf("troubleshooting.md, %s: `%s` stands twice", name, m[1]))
			}
			listed[name][text] = true
			if strings.TrimSpace(m[2]) == "" || strings.TrimSpace(m[3]) == "" {
				problems = append(problems, fmt.Sprintf("troubleshooting.md, %s: `%s` lacks a meaning or a remedy", name, m[1]))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		for _, text := range slices.Sorted(maps.Keys(texts[name])) {
			if !listed[name][text] {
				problems = append(problems, fmt.Sprintf("%v: troubleshooting.md has no row in the section %s: %s", texts[name][text], name, text))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		for _, text := range slices.Sorted(maps.Keys(listed[name])) {
			if _, ok := texts[name][text]; !ok {
				problems = append(problems, fmt.Sprintf("troubleshooting.md, %s: the library does not return this text: %s", name, text))
			}
		}
	}
	return problems
}

// addRows adds the missing rows to the section of their package, and the
// missing sections to the end of the page.
func addRows(page string, texts map[string]map[string]token.Position) string {
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		heading := "\n## " + name + "\n"
		if !strings.Contains(page, heading) {
			page = strings.TrimRight(page, "\n") + "\n" + heading + "\n" + header
		}
		before, after, _ := strings.Cut(page, heading)
		own, rest := after, ""
		if i := strings.Index(after, "\n## "); i >= 0 {
			own, rest = after[:i], after[i:]
		}
		own = strings.TrimRight(own, "\n") + "\n"
		for _, text := range slices.Sorted(maps.Keys(texts[name])) {
			cell := "| `" + strings.ReplaceAll(text, "|", `\|`) + "` |"
			if !strings.Contains(own, "\n"+cell) {
				own += cell + " | |\n"
			}
		}
		page = before + heading + own + rest
	}
	return page
}

// errorTexts returns the texts of each package of the library and the place of
// one error with that text.
func errorTexts(t *testing.T) map[string]map[string]token.Position {
	all := map[string]map[string]token.Position{}
	for _, dir := range []string{"bus", "chat", "conn", "events", "reconnect", "internal/engineio", "internal/socketio"} {
		require.NoError(t, filepath.WalkDir(filepath.Join("..", dir), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil || !d.IsDir():
				return err
			case d.Name() == "testdata":
				return filepath.SkipDir
			}
			if texts := errorTextsIn(t, path); len(texts) > 0 {
				all[strings.TrimPrefix(filepath.ToSlash(path), "../")] = texts
			}
			return nil
		}))
	}
	require.NotEmpty(t, all)
	return all
}

// errorTextsIn returns the texts of the package in dir: the arguments of
// errors.New, fmt.Errorf and functions such as versionError, and the strings in
// Error methods. A value that the program puts in is "…".
func errorTextsIn(t *testing.T, dir string) map[string]token.Position {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	set := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		if !strings.HasSuffix(path, "_test.go") {
			file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			files = append(files, file)
		}
	}
	e := errorFinder{set: set, sentinels: map[string]string{}, texts: map[string]token.Position{}}
	for _, file := range files {
		ast.Inspect(file, e.sentinel)
	}
	for _, file := range files {
		ast.Inspect(file, e.node)
	}
	maps.DeleteFunc(e.texts, func(text string, _ token.Position) bool {
		// Remove a text that is another one with a cause behind it.
		for wraps := true; wraps; {
			text, wraps = strings.CutSuffix(text, ": …")
			if _, known := e.texts[text]; wraps && known {
				return true
			}
		}
		return false
	})
	return e.texts
}

type errorFinder struct {
	set       *token.FileSet
	sentinels map[string]string // the texts of variables, by name
	texts     map[string]token.Position
}

// sentinel collects the variables that are set to errors.New.
func (e *errorFinder) sentinel(n ast.Node) bool {
	if spec, ok := n.(*ast.ValueSpec); ok {
		for i, value := range spec.Values {
			if call, ok := value.(*ast.CallExpr); ok && callee(call) == "errors.New" {
				e.sentinels[spec.Names[i].Name] = e.fold(call.Args[0])
			}
		}
	}
	return true
}

// node adds the texts in a node.
func (e *errorFinder) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		switch name := callee(n); {
		case name == "errors.New", strings.HasSuffix(name, "Error") && len(n.Args) > 0:
			e.add(n.Args[0])
		case name == "fmt.Errorf":
			e.add(n)
		}
	case *ast.FuncDecl:
		if n.Recv == nil || n.Name.Name != "Error" || n.Body == nil {
			return true
		}
		ast.Inspect(n.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ReturnStmt:
				e.add(n.Results[0])
			case *ast.AssignStmt:
				e.add(n.Rhs[0])
			}
			return true
		})
	}
	return true
}

// add adds the text of an expression that has words in it.
func (e *errorFinder) add(x ast.Expr) {
	if text := strings.TrimSpace(e.fold(x)); regexp.MustCompile(`\pL`).MatchString(text) {
		if _, ok := e.texts[text]; !ok {
			e.texts[text] = e.set.Position(x.Pos())
		}
	}
}

// callee returns the name of a function as it is called.
func callee(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return ""
}

// formatVerb matches a format verb.
var formatVerb = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z%]`)

// fold returns the string value of an expression, with "…" for each part that
// is no constant.
func (e *errorFinder) fold(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(x.Value); err == nil {
			return text
		}
	case *ast.BinaryExpr:
		return e.fold(x.X) + e.fold(x.Y)
	case *ast.Ident:
		if text, ok := e.sentinels[x.Name]; ok {
			return text
		}
	case *ast.CallExpr:
		if name := callee(x); name == "fmt.Sprintf" || name == "fmt.Errorf" {
			args := x.Args[1:]
			return formatVerb.ReplaceAllStringFunc(e.fold(x.Args[0]), func(verb string) string {
				if verb == "%%" || len(args) == 0 {
					return "%"
				}
				arg := args[0]
				args = args[1:]
				if _, ok := arg.(*ast.Ident); ok {
					return e.fold(arg)
				}
				return "…"
			})
		}
	}
	return "…"
}
