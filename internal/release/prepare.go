package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed67206a74/parley/internal/modules"
)

// A published module has packages that users import or commands that they
// install.
type published struct {
	modules.Module
	libraries []modules.Package
	commands  []modules.Package
}

// findPublished returns the published modules of the repository.
func findPublished(root string) ([]published, error) {
	found, err := modules.Find(root)
	if err != nil {
		return nil, err
	}
	var all []published
	for _, m := range found {
		p := published{Module: m}
		packages, err := modules.Packages(root, m)
		if err != nil {
			return nil, err
		}
		for _, pkg := range packages {
			if pkg.IsLibrary() {
				p.libraries = append(p.libraries, pkg)
			}
			if pkg.IsCommand() {
				p.commands = append(p.commands, pkg)
			}
		}
		if len(p.libraries)+len(p.commands) > 0 {
			all = append(all, p)
		}
	}
	return all, nil
}

// tag returns the tag of a version of the module, as the go command expects it.
func (p published) tag(version string) string { return path.Join(p.Dir, version) }

// isExample reports whether the module is an example. Users run it from a clone
// of the repository, so it has no tag.
func (p published) isExample() bool { return strings.HasPrefix(p.Dir, "examples/") }

// tags returns the tags of a release.
func tags(all []published, version string) []string {
	var tags []string
	for _, p := range all {
		if !p.isExample() {
			tags = append(tags, p.tag(version))
		}
	}
	return tags
}

// prepare makes all modules require each other in the given version. It keeps
// their replace lines, which the go command ignores in a dependency.
func prepare(root, version string) ([]published, error) {
	found, err := modules.Find(root)
	if err != nil {
		return nil, err
	}
	for _, m := range found {
		args := []string{"mod", "edit"}
		for _, r := range m.Require {
			if isModule(found, r.Path) {
				args = append(args, "-require="+r.Path+"@"+version)
			}
		}
		if len(args) > 2 {
			if _, err := modules.Go(filepath.Join(root, m.Dir), nil, args...); err != nil {
				return nil, err
			}
		}
	}
	return findPublished(root)
}

func isModule(found []modules.Module, path string) bool {
	return slices.ContainsFunc(found, func(m modules.Module) bool { return m.Path == path })
}

// checkRequirements returns an error that lists each problem in the go.mod
// files and in the changelog for a release of the given version.
func checkRequirements(root, version string, all []published) error {
	var wrong []string
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	found, err := modules.Find(root)
	if err != nil {
		return err
	}
	main := found[0].Path
	ours := func(path string) bool { return path == main || strings.HasPrefix(path, main+"/") }
	for _, p := range all {
		file := path.Join(p.Dir, "go.mod")
		for _, r := range p.Require {
			switch {
			case !ours(r.Path):
			case !isModule(found, r.Path):
				add("%s requires %s, which is not a module of this repository", file, r.Path)
			case r.Version != version:
				add("%s requires %s %s instead of %s", file, r.Path, r.Version, version)
			}
		}
		for _, replaced := range p.Replace {
			if !ours(replaced) {
				add("%s replaces %s, but the go command ignores that in a dependency", file, replaced)
			}
		}
		for _, c := range p.commands {
			if len(p.Replace) > 0 && strings.HasPrefix(c.Dir, "cmd/") {
				add("%s has replace lines, so go install refuses %s", file, c.ImportPath)
			}
		}
	}
	if version != checkVersion {
		changes, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
		if err != nil {
			return err
		}
		heading := "\n## " + strings.TrimPrefix(version, "v")
		if text := string(changes) + "\n"; !strings.Contains(text, heading+"\n") && !strings.Contains(text, heading+" ") {
			add("CHANGELOG.md has no section %q", strings.TrimSpace(heading))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s cannot be released:\n  %s", version, strings.Join(wrong, "\n  "))
	}
	return nil
}
