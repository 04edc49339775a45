// Package modules finds the Go modules of this repository and the packages in
// them that users import or run.
package modules

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A Module is a Go module of the repository.
type Module struct {
	Path    string
	Dir     string // relative to the root of the repository, with slashes; "." for the root
	Require []Requirement
	Replace []string // paths of the modules that it replaces
}

// A Requirement is a module that another module requires, directly or
// indirectly.
type Requirement struct {
	Path    string
	Version string
}

// Find returns the modules of the repository with the given root, sorted by
// directory; the root module is the first. It skips the directories that the go
// command ignores, and node_modules.
func Find(root string) ([]Module, error) {
	var all []Module
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			hidden := strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
			if file != root && (hidden || name == "testdata" || name == "node_modules" || name == "vendor") {
				return filepath.SkipDir
			}
			return nil
		}
		if name != "go.mod" {
			return nil
		}
		m, err := read(root, filepath.Dir(file))
		all = append(all, m)
		return err
	})
	slices.SortFunc(all, func(a, b Module) int { // the root, ".", first
		return cmp.Compare(strings.TrimPrefix(a.Dir, "."), strings.TrimPrefix(b.Dir, "."))
	})
	if err == nil && (len(all) == 0 || all[0].Dir != ".") {
		err = fmt.Errorf("no go.mod in %s", root)
	}
	return all, err
}

func read(root, dir string) (Module, error) {
	relative, err := filepath.Rel(root, dir)
	if err != nil {
		return Module{}, err
	}
	var file struct {
		Module  struct{ Path string }
		Require []Requirement
		Replace []struct{ Old struct{ Path string } }
	}
	out, err := Go(dir, nil, "mod", "edit", "-json")
	if err == nil {
		err = json.Unmarshal(out, &file)
	}
	if err != nil {
		return Module{}, fmt.Errorf("%s/go.mod: %w", relative, err)
	}
	m := Module{Path: file.Module.Path, Dir: filepath.ToSlash(relative), Require: file.Require}
	for _, r := range file.Replace {
		m.Replace = append(m.Replace, r.Old.Path)
	}
	return m, nil
}

// A Package is a package of one of the modules, as go list prints it.
type Package struct {
	ImportPath string
	Name       string
	Dir        string // relative to the root of the repository, with slashes
	GoFiles    []string
}

// Packages returns the packages of a module that have Go files other than
// tests. It does not resolve imports, so it works if a requirement is missing.
func Packages(root string, m Module) ([]Package, error) {
	out, err := Go(filepath.Join(root, m.Dir), nil, "list", "-e", "-find", "-json=ImportPath,Name,GoFiles", "./...")
	if err != nil {
		return nil, err
	}
	var all []Package
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var p Package
		if err := decoder.Decode(&p); err != nil {
			return nil, err
		}
		p.Dir = path.Join(m.Dir, strings.TrimPrefix(p.ImportPath, m.Path))
		if len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
	return all, nil
}

// IsLibrary reports whether p is a package that users import.
func (p Package) IsLibrary() bool {
	switch top(p.Dir) {
	case "benchmarks", "cmd", "examples", "interop":
		return false
	}
	return p.Name != "main" && !isInternal(p.Dir)
}

// IsCommand reports whether p is a program that users run.
func (p Package) IsCommand() bool {
	switch top(p.Dir) {
	case "cmd", "examples":
		return p.Name == "main" && !isInternal(p.Dir)
	}
	return false
}

func top(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}

func isInternal(dir string) bool { return slices.Contains(strings.Split(dir, "/"), "internal") }

// Go runs the go command in a directory, without a workspace, and returns its
// standard output, also with an error. An error contains the standard error.
// The variables in env are added to the environment.
func Go(dir string, env []string, args ...string) ([]byte, error) {
	command := exec.Command("go", args...)
	command.Dir = dir
	command.Env = append(append(os.Environ(), "GOWORK=off"), env...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return out, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}
