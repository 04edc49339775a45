// Package docs tests the pages: their snippets compile, their links have
// targets, and their lists are complete.
package docs

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	// Packages of the snippets, so that go test runs again when they change.
	_ "github.com/seed67206a74/parley/bus/pipe"
	_ "github.com/seed67206a74/parley/chat/chatdebug"
	_ "github.com/seed67206a74/parley/chat/chathttp"
	_ "github.com/seed67206a74/parley/chat/chattest"
)

// Every go fence of every page compiles: as a file if it has a package clause,
// else as declarations, else as the statements of a function. It may use the
// declarations of testdata/preamble.go, and those in a comment
// <!-- go: … --> on the line before the fence, which is not displayed. An
// ellipsis … stands for omitted code. Statements need not use all variables
// that they declare.
func TestSnippets_compile(t *testing.T) {
	var all []snippet
	for _, page := range pages(t) {
		all = append(all, snippets(page, read(t, page))...)
	}
	c := newChecker(t, all)
	for _, s := range all {
		if err := c.check(s); err != nil {
			t.Errorf("%s:%d: this does not compile:\n%v", s.page, s.line, err)
		}
	}
}

func TestSnippets_reportLineOfCompileError(t *testing.T) {
	c := newChecker(t, nil)
	for _, tc := range []struct{ name, text, want string }{
		{"undefined method", "```go\nx := 1\nclient.Nothing()\n```", "page.md:3:"},
		{"wrong return type", "```go\nfunc f() error {\n\treturn 1\n}\n```", "page.md:3:"},
		{"unused import", "```go\npackage p\n\nimport \"fmt\"\n```", "page.md:4:"},
		{"unused variable", "```go\nfunc f() {\n\tx := 1\n}\n```", "page.md:3:"},
		{"syntax error", "```go\nif {\n```", "page.md:2:"},
		{"in a list", "text\n\n- item:\n\n  ```go\n  client.Nothing()\n  ```", "page.md:6:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			found := snippets("page.md", tc.text)
			require.Len(t, found, 1)
			require.ErrorContains(t, c.check(found[0]), tc.want)
		})
	}
}

func TestSnippets_acceptEachForm(t *testing.T) {
	c := newChecker(t, nil)
	for name, text := range map[string]string{
		"statement":           "```go\nx := 1\n```",
		"return of an error":  "```go\nreturn err\n```",
		"return of nothing":   "```go\nif err != nil {\n\treturn\n}\n```",
		"ellipsis":            "```go\nfor range 3 { … }\n```",
		"declaration comment": "<!-- go: var answer int -->\n```go\nanswer++\n```",
		"declaration":         "```go\nfunc f() error { return err }\n```",
	} {
		t.Run(name, func(t *testing.T) {
			found := snippets("page.md", text)
			require.Len(t, found, 1)
			require.NoError(t, c.check(found[0]))
		})
	}
}

// pages are the Markdown files at the root and in docs.
func pages(t *testing.T) []string {
	var all []string
	for _, pattern := range []string{"../*.md", "*.md", "*/*.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		all = append(all, found...)
	}
	return all
}

func read(t *testing.T, file string) string {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

type snippet struct {
	page    string
	line    int // of its first line
	text    string
	declare string // from the comment before it
}

var declaration = regexp.MustCompile(`^<!-- go: (.*) -->$`)

func snippets(page, text string) []snippet {
	var all []snippet
	var open *snippet
	indent, before := "", ""
	for i, line := range strings.Split(text, "\n") {
		bare := strings.TrimLeft(line, " ")
		switch {
		case open == nil && bare == "```go":
			open, indent = &snippet{page: page, line: i + 2}, line[:len(line)-len(bare)]
			if m := declaration.FindStringSubmatch(before); m != nil {
				open.declare = m[1]
			}
		case open != nil && bare == "```":
			all, open = append(all, *open), nil
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		}
		before = bare
	}
	return all
}

// A checker compiles snippets against the packages that they import.
type checker struct {
	files    *token.FileSet
	preamble string // the file testdata/preamble.go
	imports  types.Importer
}

func newChecker(t *testing.T, all []snippet) *checker {
	c := &checker{files: token.NewFileSet(), preamble: read(t, "testdata/preamble.go")}
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}
	args = append(args, imports(c.preamble)...)
	for _, s := range all {
		args = append(args, imports(s.text)...)
	}
	list := exec.Command("go", args...)
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	require.NoError(t, err, "%s", stderr.String())
	compiled := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		compiled[path] = file
	}
	c.imports = importer.ForCompiler(c.files, "gc", func(path string) (io.ReadCloser, error) {
		if compiled[path] == "" {
			return nil, fmt.Errorf("no package %q", path)
		}
		return os.Open(compiled[path])
	})
	return c
}

// imports returns the imports of a file, or nothing if text is not a file.
func imports(text string) []string {
	file, err := parser.ParseFile(token.NewFileSet(), "", text, parser.ImportsOnly)
	if err != nil {
		return nil
	}
	var paths []string
	for _, i := range file.Imports {
		paths = append(paths, strings.Trim(i.Path.Value, `"`))
	}
	return paths
}

// check returns the compile error of a snippet.
func (c *checker) check(s snippet) error {
	text := strings.ReplaceAll(s.text, "…", " ")
	here := fmt.Sprintf("//line %s:%d\n", s.page, s.line)
	if strings.HasPrefix(text, "package ") {
		return c.compile(here+text, false)
	}
	head := c.preamble + "\n" + s.declare + "\n"
	err := c.compile(head+here+text, false)
	if _, isSyntax := errors.AsType[scanner.ErrorList](err); !isSyntax {
		return err
	}
	// Statements, of a function that returns an error or nothing.
	err = c.compile(head+"func _() error {\n"+here+text+"\nreturn nil\n}\n", true)
	if err != nil && c.compile(head+"func _() {\n"+here+text+"\n}\n", true) == nil {
		return nil
	}
	return err
}

// compile type-checks a file. Imports that only the preamble needs may be left
// unused, and so may variables if unused is true.
func (c *checker) compile(source string, unused bool) error {
	file, err := parser.ParseFile(c.files, "", source, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	ours := strings.HasPrefix(source, c.preamble)
	var first error
	config := types.Config{Importer: c.imports, Error: func(err error) {
		failure := err.(types.Error)
		if failure.Soft && ours && (unused || strings.Contains(failure.Msg, "imported and not used")) {
			return
		}
		if first == nil {
			first = failure
		}
	}}
	_, _ = config.Check("snippet", c.files, []*ast.File{file}, nil)
	return first
}
