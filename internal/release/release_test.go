package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The files of a small repository with a library, a library in a module of its
// own, a command, and an example in a module of its own.
func files() map[string]string {
	const start = "\n\ngo 1.26.0\n"
	return map[string]string{
		".gitignore":   "*.generated.go\n",
		"LICENSE":      "Do what you want.\n",
		"CHANGELOG.md": "# Changes\n\n## Unreleased\n\n## 0.2.0\n",
		"go.mod":       "module github.com/owner/repo" + start,
		"lib/lib.go":   "package lib\n\nconst Answer = 42\n",
		"cmd/c/c.go":   "package main\n\nfunc main() {}\n",
		"sub/go.mod": "module github.com/owner/repo/sub" + start +
			"\nrequire github.com/owner/repo v0.0.0\n\nreplace github.com/owner/repo => ../\n",
		"sub/sub.go": "package sub\n\nimport \"github.com/owner/repo/lib\"\n\nconst Answer = lib.Answer\n",
		"examples/e/go.mod": "module github.com/owner/repo/examples/e" + start +
			"\nrequire (\n\tgithub.com/owner/repo v0.0.0\n\tgithub.com/owner/repo/sub v0.0.0\n)\n\n" +
			"replace (\n\tgithub.com/owner/repo => ../..\n\tgithub.com/owner/repo/sub => ../../sub\n)\n",
		"examples/e/e.go":              "package main\n\nimport _ \"github.com/owner/repo/sub\"\n\nfunc main() {}\n",
		"interop/go.mod":               "module github.com/owner/repo/interop" + start + "\nrequire github.com/owner/repo v0.0.0\n",
		"interop/newcomer/n/n.go":      user,
		"interop/newcomer/n/n_test.go": "package main\n\nfunc Example() {\n\tmain()\n\t// Output: 42\n}\n",
		"benchmarks/go.mod":            "module github.com/owner/repo/benchmarks" + start + "\nrequire github.com/owner/repo v0.0.0\n",
		"benchmarks/b.go":              "package main\n\nfunc main() {}\n",
	}
}

const user = `package main

import (
	"fmt"

	"github.com/owner/repo/lib"
)

func main() { fmt.Println(lib.Answer) }
`

func write(t *testing.T, files map[string]string) (root string) {
	root = t.TempDir()
	for name, content := range files {
		file := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
	}
	return root
}

func TestPrepare_requirements(t *testing.T) {
	root := write(t, files())
	all, err := prepare(root, "v0.2.0")
	require.NoError(t, err)
	assert.Equal(t, []string{"v0.2.0", "sub/v0.2.0"}, tags(all, "v0.2.0"))
	for _, dir := range []string{"sub", "examples/e", "benchmarks"} {
		text, err := os.ReadFile(filepath.Join(root, dir, "go.mod"))
		require.NoError(t, err)
		assert.Contains(t, string(text), "github.com/owner/repo v0.2.0", dir)
		assert.NotContains(t, string(text), "v0.0.0", dir)
	}
	assert.NoError(t, checkRequirements(root, "v0.2.0", all))
}

func TestCheckRequirements_problems(t *testing.T) {
	for name, c := range map[string]struct {
		version, file, old, new, want string
	}{
		"not prepared": {"v0.3.0", "CHANGELOG.md", "0.2.0", "0.3.0", "sub/go.mod requires github.com/owner/repo v0.2.0 instead of v0.3.0"},
		"removed":      {"v0.2.0", "sub/go.mod", "require github", "require github.com/owner/repo/old v0.1.0\nrequire github", "sub/go.mod requires github.com/owner/repo/old, which is not a module of this repository"},
		"replaced":     {"v0.2.0", "sub/go.mod", "replace", "replace example.com/fork => ../fork\nreplace", "sub/go.mod replaces example.com/fork, but the go command ignores that"},
		"command":      {"v0.2.0", "go.mod", "go 1.26.0", "go 1.26.0\nreplace github.com/owner/repo/sub => ./sub", "go.mod has replace lines, so go install refuses github.com/owner/repo/cmd/c"},
		"changelog":    {"v0.2.0", "CHANGELOG.md", "0.2.0", "0.2.0-rc", `CHANGELOG.md has no section "## 0.2.0"`},
	} {
		t.Run(name, func(t *testing.T) {
			root := write(t, files())
			_, err := prepare(root, "v0.2.0")
			require.NoError(t, err)
			file := filepath.Join(root, c.file)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), c.old, c.new, 1)), 0o644))
			all, err := findPublished(root)
			require.NoError(t, err)
			assert.ErrorContains(t, checkRequirements(root, c.version, all), c.want)
		})
	}
}

func repository(t *testing.T, files map[string]string) (root string) {
	git, err := exec.LookPath("git")
	require.NoError(t, err)
	root = write(t, files)
	require.NoError(t, exec.Command(git, "-C", root, "init", "-q").Run())
	return root
}

func TestCheckRelease_builds(t *testing.T) {
	var said strings.Builder
	require.NoError(t, checkRelease(&said, repository(t, files()), "", user))
	for _, want := range []string{
		"published v0.1.0-check",
		"  github.com/owner/repo: 6 files",
		"built a program with the 1 packages of github.com/owner/repo, and ran it: 42\n",
		"installed the commands of github.com/owner/repo: cmd/c\n",
		"built a program with the 1 packages of github.com/owner/repo/sub, and ran it: linked\n",
		"built the commands of github.com/owner/repo/examples/e: examples/e\n",
		"built the programs of interop/newcomer, and ran the tests of 1\n",
	} {
		assert.Contains(t, said.String(), want)
	}
	assert.NotContains(t, said.String(), "benchmarks")
}

func TestCheckRelease_problems(t *testing.T) {
	for name, c := range map[string]struct{ file, content, want string }{
		"ignored file":      {"lib/more.generated.go", "package lib\n", "lib/more.generated.go is not in the zip file of github.com/owner/repo"},
		"ignored package":   {"new/all.generated.go", "package new\n", "new/all.generated.go is not in the zip file of github.com/owner/repo"},
		"does not compile":  {"sub/sub.go", "package sub\n\nvar x int = true\n", "cannot use true (untyped bool constant) as int value"},
		"newcomer's output": {"interop/newcomer/n/n_test.go", "package main\n\nfunc Example() {\n\tmain()\n\t// Output: 43\n}\n", "want:\n43"},
		"not required": {"sub/go.mod", "module github.com/owner/repo/sub\n\ngo 1.26.0\n\nrequire github.com/owner/repo/old v0.1.0\n",
			"requires github.com/owner/repo/old, which is not a module of this repository"},
	} {
		t.Run(name, func(t *testing.T) {
			all := files()
			all[c.file] = c.content
			assert.ErrorContains(t, checkRelease(io.Discard, repository(t, all), "", user), c.want)
		})
	}
}

// A zip file of a module has no symbolic links.
func TestCheckRelease_symlink(t *testing.T) {
	root := repository(t, files())
	require.NoError(t, os.WriteFile(filepath.Join(root, "more.txt"), []byte("package lib\n"), 0o644))
	require.NoError(t, os.Symlink("../more.txt", filepath.Join(root, "lib/more.go")))
	assert.ErrorContains(t, checkRelease(io.Discard, root, "", user), "lib/more.go is not in the zip file of github.com/owner/repo")
}

func TestRun_arguments(t *testing.T) {
	for _, version := range []string{"0.1.0", "v1", "v0.1", "v0.01.0", "latest"} {
		assert.ErrorContains(t, run(version, false), "is not a version", version)
	}
	assert.ErrorContains(t, run("", false), "neither")
}
