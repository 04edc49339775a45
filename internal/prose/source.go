package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A file is a source file and the prose in it.
type file struct {
	path     string
	lines    []string
	comments []line // of a Go file
	prose    []line // all of it, as Markdown
}

// A line is a line of prose and its place in the source.
type line struct {
	text         string
	line, column int
}

func (f *file) isGo() bool { return strings.HasSuffix(f.path, ".go") }

// readFiles reads the Go and Markdown files in the tree at root. It leaves out
// test data and generated code.
func readFiles(root string) ([]*file, error) {
	var files []*file
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			hidden := strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata"
			if hidden && path != root {
				return filepath.SkipDir
			}
			return nil
		}
		var f *file
		switch filepath.Ext(path) {
		case ".go":
			f, err = readGo(path)
		case ".md":
			f, err = readMarkdown(path)
		}
		if f != nil {
			files = append(files, f)
		}
		return err
	})
	return files, err
}

func readMarkdown(path string) (*file, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &file{path: filepath.ToSlash(path), lines: strings.Split(string(source), "\n")}
	for i, text := range f.lines {
		f.prose = append(f.prose, line{text, i + 1, 1})
	}
	return f, nil
}

// readGo extracts the prose of a Go file. Vale can read Go, but it reads
// comments only, and joins the comments beside consecutive lines of code into
// one paragraph.
func readGo(path string) (*file, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, path, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil || ast.IsGenerated(parsed) {
		return nil, err
	}
	e := extractor{
		file: &file{path: filepath.ToSlash(path), lines: strings.Split(string(source), "\n")},
		set:  set,
		test: strings.HasSuffix(path, "_test.go"),
	}
	for _, group := range parsed.Comments {
		e.comment(group)
	}
	e.prose = slices.Clone(e.comments)
	ast.Inspect(parsed, e.node)
	return e.file, nil
}

// An extractor collects the prose of a Go file.
type extractor struct {
	*file
	set  *token.FileSet
	test bool
}

// add adds a paragraph of one line.
func (e *extractor) add(text string, pos token.Pos, offset int) {
	at := e.set.Position(pos)
	e.prose = append(e.prose, line{text, at.Line, at.Column + offset}, line{})
}

var (
	directive = regexp.MustCompile(`^//(?:[a-z0-9]+:[a-z0-9]|line |export |extern )`)
	output    = regexp.MustCompile(`^//\s*(?:Unordered output|Output):`)
	testName  = regexp.MustCompile(`^(?:Test|Benchmark|Fuzz|Example)[A-Z_]`)
	capital   = regexp.MustCompile(`[A-Z]+`)
	twoWords  = regexp.MustCompile(`[A-Za-z'’]+[,;:]? [a-z]+`)
)

// comment adds the text of a comment as Markdown. Directives, code blocks and
// the output of examples are left out.
func (e *extractor) comment(group *ast.CommentGroup) {
	if e.test && output.MatchString(group.List[0].Text) {
		return
	}
	for _, c := range group.List {
		if directive.MatchString(c.Text) {
			continue
		}
		at := e.set.Position(c.Pos())
		for i, text := range strings.Split(strings.TrimSuffix(c.Text[2:], "*/"), "\n") {
			column := 1
			if i == 0 {
				column = at.Column + 2
			}
			trimmed := strings.TrimLeft(text, " \t")
			column += len(text) - len(trimmed)
			if c.Text[1] == '/' && strings.HasPrefix(text, "\t") {
				trimmed = "" // code
			}
			e.comments = append(e.comments, line{trimmed, at.Line + i, column})
		}
	}
	e.comments = append(e.comments, line{})
}

// node adds the name of a test, or a text that people read.
func (e *extractor) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec:
		return false
	case *ast.FuncDecl:
		if e.test && testName.MatchString(n.Name.Name) {
			spaced := capital.ReplaceAllString(strings.ReplaceAll(n.Name.Name, "_", " "), " $0")
			e.add(strings.ToLower(spaced), n.Name.Pos(), 0)
		}
	case *ast.CallExpr:
		if run, ok := n.Fun.(*ast.SelectorExpr); ok && e.test && run.Sel.Name == "Run" && len(n.Args) > 0 {
			e.literal(n.Args[0])
		}
	case *ast.BasicLit:
		if !e.test {
			e.literal(n)
		}
	}
	return true
}

// literal adds a string in quotation marks that has words in it.
func (e *extractor) literal(n ast.Expr) {
	if l, ok := n.(*ast.BasicLit); ok && l.Value[0] == '"' {
		value, err := strconv.Unquote(l.Value)
		if err == nil && twoWords.MatchString(value) {
			e.add(strings.Join(strings.Fields(value), " "), l.Pos(), 1)
		}
	}
}
