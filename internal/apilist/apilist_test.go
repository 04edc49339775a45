package apilist

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var lister = Lister{Root: "example.com/sample", NotPromised: []string{"example.com/experiment"}}

// A sources type-checks the packages in testdata and in the standard library.
type sources struct {
	files    *token.FileSet
	standard types.Importer
	found    map[string]*types.Package
}

func newSources() *sources {
	files := token.NewFileSet()
	return &sources{files, importer.ForCompiler(files, "source", nil), map[string]*types.Package{}}
}

func (s *sources) Import(path string) (*types.Package, error) {
	if !strings.HasPrefix(path, "example.com/") {
		return s.standard.Import(path)
	}
	if s.found[path] == nil {
		_, rest, _ := strings.Cut(path, "/")
		rest = strings.TrimPrefix(rest, "experiment/")
		name := filepath.Base(path) + ".go"
		text, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(rest), name))
		if err != nil {
			return nil, err
		}
		if s.found[path], err = s.check(path, string(text)); err != nil {
			return nil, err
		}
	}
	return s.found[path], nil
}

func (s *sources) check(path, text string) (*types.Package, error) {
	file, err := parser.ParseFile(s.files, path, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return (&types.Config{Importer: s}).Check(path, s.files, []*ast.File{file}, nil)
}

func TestLines_sample(t *testing.T) {
	pkg, err := newSources().Import("example.com/sample")
	require.NoError(t, err)
	want, err := os.ReadFile("testdata/sample.txt")
	require.NoError(t, err)
	assert.Equal(t, string(want), strings.Join(lister.Lines(pkg), "\n")+"\n")
}

// A compiled package has the same listing as its source.
func TestLister_compiled(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.CopyFS(root, os.DirFS("testdata/sample")))
	require.NoError(t, os.CopyFS(filepath.Join(root, "experiment/jsontext"), os.DirFS("testdata/jsontext")))
	for name, text := range map[string]string{
		"go.mod": "module example.com/sample\n\ngo 1.26.0\n\nrequire example.com/experiment v0.0.0\n" +
			"\nreplace example.com/experiment => ./experiment\n",
		"experiment/go.mod": "module example.com/experiment\n\ngo 1.26.0\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	files := map[string][]byte{}
	require.NoError(t, lister.module(root, []string{"example.com/sample"}, files))
	want, err := os.ReadFile("testdata/sample.txt")
	require.NoError(t, err)
	assert.Equal(t, string(want), string(files["root.txt"]))

	require.NoError(t, os.WriteFile(filepath.Join(root, "broken.go"), []byte("package sample\n\nvar X int = true\n"), 0o644))
	assert.ErrorContains(t, lister.module(root, []string{"example.com/sample"}, files), "broken.go:3")
}

// Each change of the sample that can break a program is visible in the listing.
func TestLines_changes(t *testing.T) {
	source, err := os.ReadFile("testdata/sample/sample.go")
	require.NoError(t, err)
	all := newSources()
	listing := func(text string) map[string][]byte {
		pkg, err := all.check("example.com/sample", text)
		require.NoError(t, err)
		return map[string][]byte{"sample.txt": []byte(strings.Join(lister.Lines(pkg), "\n") + "\n")}
	}
	before := listing(string(source))
	for _, c := range []struct{ old, new, diff string }{
		{"parts ...[]byte) (int, error)", "parts ...[]byte) (int64, error)",
			"- func Variadic(context.Context, ...[]byte) (int, error)\n+ func Variadic(context.Context, ...[]byte) (int64, error)"},
		{"parts ...[]byte", "parts [][]byte",
			"- func Variadic(context.Context, ...[]byte) (int, error)\n+ func Variadic(context.Context, [][]byte) (int, error)"},
		{"Half           = 0.5", "Half           = 0.25",
			"- const Half untyped float = 0.5\n+ const Half untyped float = 0.25"},
		{"func (l Level) String()", "func (l *Level) String()",
			"- method (Level) String() string\n+ method (*Level) String() string"},
		{"func (i *inner) Promoted() error { return nil }", "func (i *inner) Promoted() {}",
			"- method (*Outer) Promoted() error\n- method (*Pair[K, V]) Promoted() error\n+ method (*Outer) Promoted()\n+ method (*Pair[K, V]) Promoted()"},
		{"type deeper struct{ Deep []byte }", "type deeper struct{ Deep string }",
			"- type Outer struct, Deep []byte\n- type Pair struct, Deep []byte\n+ type Outer struct, Deep string\n+ type Pair struct, Deep string"},
		{"func (h *handle) Stop(now bool)", "func (h *handle) Stop()",
			"- method (*handle) Stop(bool)\n+ method (*handle) Stop()"},
		{"Of[T any] =", "Of[T comparable] =",
			"- type Of[T any] = Pair[string, T]\n+ type Of[T comparable] = Pair[string, T]"},
		{"V ~int | ~string", "V ~int",
			"- func Generic[K comparable, V ~int | ~string](map[K]V) V\n+ func Generic[K comparable, V ~int](map[K]V) V"},
		{"Walk(f func(E) bool)", "Walk(f func(E))",
			"- method (*Tree[T]) Walk(func(T) bool)\n+ method (*Tree[T]) Walk(func(T))"},
		{"struct{ A, B int }", "struct{ A, B int; c []int }",
			"- type Comparable struct, comparable\n+ type Comparable struct, unexported fields"},
		{"\tServe(ctx context.Context) error\n", "\tServe(ctx context.Context) error\n\tStop()\n",
			"+ type Service interface, Stop()"},
		{"\tinternal()\n", "", "- type Service interface, unexported methods"},
		{"~int | ~float64", "~int", "- type Number interface, ~int | ~float64\n+ type Number interface, ~int"},
		{"Ints      = Pair[int, int]", "Ints      = Pair[int, string]",
			"- type Ints = Pair[int, int]\n+ type Ints = Pair[int, string]"},
		{"Send    chan<- int", "Send    chan int", "- var Send chan<- int\n+ var Send chan int"},

		// Names of parameters, function bodies and unexported declarations.
		{"now bool", "later bool", ""},
		{"func unexported() ", "func renamed(n int) ", ""},
		{"options struct{ size int }", "options struct{ size, more int }", ""},
		{"\tsecret string\n", "\tsecret int\n", ""},
	} {
		t.Run(c.new, func(t *testing.T) {
			changed := strings.Replace(string(source), c.old, c.new, 1)
			require.NotEqual(t, string(source), changed, "the sample has no %q", c.old)
			want := ""
			if c.diff != "" {
				want = "sample.txt\n"
				for line := range strings.Lines(c.diff + "\n") {
					want += "  " + line
				}
			}
			assert.Equal(t, want, Diff(before, listing(changed)))
		})
	}
}

func TestDiff_files(t *testing.T) {
	a := map[string][]byte{"a.txt": []byte("x\ny\n"), "b.txt": []byte("x\n"), "c.txt": []byte("1\n2\n")}
	b := map[string][]byte{"a.txt": []byte("y\nz\n"), "d.txt": []byte("z\n"), "c.txt": []byte("2\n1\n")}
	assert.Empty(t, Diff(a, a))
	assert.Equal(t, "a.txt\n  - x\n  + z\nb.txt\n  - x\nc.txt\n  + (the same lines in another order)\nd.txt\n  + z\n", Diff(a, b))
}

func TestWrite_replacesListings(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "api")
	first := map[string][]byte{"a.txt": []byte("x\n"), "gone.txt": []byte("y\n")}
	require.NoError(t, Write(folder, first))
	second := map[string][]byte{"a.txt": []byte("z\n")}
	require.NoError(t, Write(folder, second))
	got, err := Read(folder)
	require.NoError(t, err)
	assert.Equal(t, second, got)
	none, err := Read(filepath.Join(folder, "none"))
	require.NoError(t, err)
	assert.Empty(t, none)
}

func TestFile_names(t *testing.T) {
	for path, want := range map[string]string{
		"example.com/sample":     "root.txt",
		"example.com/sample/a/b": "a_b.txt",
	} {
		assert.Equal(t, want, lister.file(path))
	}
}
