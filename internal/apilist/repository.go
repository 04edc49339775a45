package apilist

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/importer"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed67206a74/parley/internal/modules"
)

// The modules whose types may change in any release; see docs/versioning.md.
var notPromised = []string{"github.com/go-json-experiment/json"}

// Folder is the folder of the listings, below the root of the repository.
const Folder = "api"

// Repository returns the files that Folder must contain: the listing of each
// package that users import, by file name.
func Repository(root string) (map[string][]byte, error) {
	found, err := modules.Find(root)
	if err != nil {
		return nil, err
	}
	lister := Lister{Root: found[0].Path, NotPromised: notPromised}
	files := map[string][]byte{}
	for _, m := range found {
		packages, err := modules.Packages(root, m)
		if err != nil {
			return nil, err
		}
		var paths []string
		for _, p := range packages {
			if p.IsLibrary() {
				paths = append(paths, p.ImportPath)
			}
		}
		if err := lister.module(filepath.Join(root, m.Dir), paths, files); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// module adds the files of the packages of a module. It reads the compiler's
// export data, so the packages have to compile.
func (l Lister) module(dir string, paths []string, files map[string][]byte) error {
	if len(paths) == 0 {
		return nil
	}
	out, err := modules.Go(dir, nil, append([]string{"list", "-export", "-deps", "-json=ImportPath,Export"}, paths...)...)
	if err != nil {
		return err
	}
	compiled := map[string]string{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var p struct{ ImportPath, Export string }
		if err := decoder.Decode(&p); err != nil {
			return err
		}
		compiled[p.ImportPath] = p.Export
	}
	imports := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if compiled[path] == "" {
			return nil, fmt.Errorf("package %s is not compiled", path)
		}
		return os.Open(compiled[path])
	})
	for _, path := range paths {
		pkg, err := imports.Import(path)
		if err != nil {
			return err
		}
		files[l.file(path)] = []byte(strings.Join(l.Lines(pkg), "\n") + "\n")
	}
	return nil
}

// file returns the file name for a package: chat_chattest.txt for
// chat/chattest.
func (l Lister) file(importPath string) string {
	relative := strings.TrimPrefix(strings.TrimPrefix(importPath, l.Root), "/")
	if relative == "" {
		relative = "root"
	}
	return strings.ReplaceAll(relative, "/", "_") + ".txt"
}

// Read returns the listings in a folder. A folder that does not exist has none.
func Read(folder string) (map[string][]byte, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, name := range names {
		if files[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// Write writes the files to a folder, and removes all other listings in it.
func Write(folder string, files map[string][]byte) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	old, err := Read(folder)
	if err != nil {
		return err
	}
	for name := range old {
		if _, stays := files[name]; !stays {
			if err := os.Remove(filepath.Join(folder, name)); err != nil {
				return err
			}
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
