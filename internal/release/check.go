package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed67206a74/parley/internal/modules"
)

// checkRelease checks that users can build programs from a release of the
// repository with the given root. It writes its progress to w. If version is
// "", it prepares a copy of the files for checkVersion.
func checkRelease(w io.Writer, root, version, program string) (err error) {
	temp, err := os.MkdirTemp("", "release-check")
	if err != nil {
		return err
	}
	defer func() {
		if removed := os.RemoveAll(temp); err == nil {
			err = removed
		}
	}()
	r := &release{version: version, program: program, temp: temp, tree: filepath.Join(temp, "tree")}
	if err := copyTree(root, r.tree); err != nil {
		return err
	}
	if version == "" {
		r.version = checkVersion
		r.modules, err = prepare(r.tree, r.version)
	} else {
		r.modules, err = findPublished(r.tree)
	}
	if err != nil {
		return err
	}
	if err := r.expect(root); err != nil {
		return err
	}
	r.main = r.modules[0].Path
	if err := checkRequirements(r.tree, r.version, r.modules); err != nil {
		return err
	}

	fmt.Fprintf(w, "published %s to a folder:\n", r.version)
	lines, err := r.publish()
	if err != nil {
		return err
	}
	for _, line := range lines {
		fmt.Fprintln(w, "  "+line)
	}
	for _, p := range r.modules {
		if err := r.use(w, p); err != nil {
			return fmt.Errorf("%s %s cannot be used: %w", p.Path, r.version, err)
		}
	}
	return r.newcomers(w)
}

// newcomers builds the programs in newcomerDir and runs their tests. Their
// module requires only the published root module.
func (r *release) newcomers(w io.Writer) error {
	dir, err := r.consumer(published{Module: r.modules[0].Module})
	if err != nil {
		return err
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(r.tree, newcomerDir))); os.IsNotExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	if _, err := r.goCommand(dir, "build", "-mod=mod", "-o", filepath.Join(r.temp, "bin")+string(filepath.Separator), "./..."); err != nil {
		return err
	}
	said, err := r.goCommand(dir, "test", "-mod=mod", "-timeout=2m", "./...")
	if err != nil {
		return fmt.Errorf("%w\n%s", err, said)
	}
	passed := strings.Count("\n"+string(said), "\nok ")
	fmt.Fprintf(w, "built the programs of %s, and ran the tests of %d\n", newcomerDir, passed)
	return nil
}

// expect sets the packages of the release to those of the working tree, so that
// inspect fails if a file of one of them is not published.
func (r *release) expect(root string) error {
	wanted, err := findPublished(root)
	if err != nil {
		return err
	}
	if len(wanted) != len(r.modules) {
		return fmt.Errorf("the working tree has %d modules for users, %d without the files that git ignores", len(wanted), len(r.modules))
	}
	for i, w := range wanted {
		r.modules[i].libraries, r.modules[i].commands = w.libraries, w.commands
	}
	return nil
}

// use builds the packages and commands of a published module. The programs
// require only that module, so the build depends on its own requirements.
func (r *release) use(w io.Writer, p published) error {
	if len(p.libraries) > 0 {
		dir, err := r.consumer(p)
		if err != nil {
			return err
		}
		if _, err := r.goCommand(dir, "build", "-mod=mod", "-o", "program", "."); err != nil {
			return err
		}
		said, err := output(filepath.Join(dir, "program"))
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "built a program with the %d packages of %s, and ran it: %s\n", len(p.libraries), p.Path, said)
	}
	if len(p.commands) == 0 {
		return nil
	}
	how, args := "installed", []string{"install"}
	suffix := "@" + r.version
	dir := r.temp
	if len(p.Replace) > 0 { // go install rejects replace lines, so use go build in a consumer
		how, args, suffix = "built", []string{"build", "-mod=mod", "-o", filepath.Join(r.temp, "bin") + string(filepath.Separator)}, ""
		var err error
		if dir, err = r.consumer(published{Module: p.Module}); err != nil {
			return err
		}
	}
	var names []string
	for _, c := range p.commands {
		args = append(args, c.ImportPath+suffix)
		names = append(names, c.Dir)
	}
	if _, err := r.goCommand(dir, args...); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s the commands of %s: %s\n", how, p.Path, strings.Join(names, ", "))
	return nil
}

// consumer writes a module that requires p, and a program that imports its
// packages.
func (r *release) consumer(p published) (dir string, err error) {
	dir, err = os.MkdirTemp(r.temp, "consumer")
	if err != nil {
		return "", err
	}
	imports := "package main\n\n"
	for _, pkg := range p.libraries {
		imports += fmt.Sprintf("import _ %q\n", pkg.ImportPath)
	}
	main := "package main\n\nfunc main() { println(\"linked\") }\n"
	if p.Path == r.main && len(p.libraries) > 0 {
		main = r.program
	}
	// These sums verify other modules without the checksum database.
	sums, err := os.ReadFile(filepath.Join(r.tree, p.Dir, "go.sum"))
	if err != nil && !os.IsNotExist(err) { // a module without requirements has no go.sum
		return "", err
	}
	files := map[string]string{
		"go.mod":     "module example.com/consumer\n\nrequire " + p.Path + " " + r.version + "\n",
		"go.sum":     string(sums),
		"main.go":    main,
		"imports.go": imports,
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// goCommand runs the go command with a temporary module cache. Modules of this
// repository come from the folder, others from the user's module cache or, if
// missing there, from GOPROXY. With -trimpath the compiled packages do not
// depend on the temporary folder, so the next run finds them in the build
// cache.
func (r *release) goCommand(dir string, args ...string) ([]byte, error) {
	out, err := modules.Go(dir, nil, "env", "GOMODCACHE", "GOPROXY")
	if err != nil {
		return nil, err
	}
	cache, proxy, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return modules.Go(dir, []string{
		"GOMODCACHE=" + filepath.Join(r.temp, "cache"),
		"GOPROXY=" + fileURL(r.proxy) + "," + fileURL(filepath.Join(cache, "cache", "download")) + "," + proxy,
		"GONOPROXY=none", "GOSUMDB=off",
		"GOFLAGS=-modcacherw -trimpath -ldflags=-w",
		"GOBIN=" + filepath.Join(r.temp, "bin"),
	}, args...)
}

func fileURL(path string) string { return "file://" + filepath.ToSlash(path) }

// output runs a program and returns its output.
func output(file string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, file).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("the program failed: %w\n%s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
