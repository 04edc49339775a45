package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/seed67206a74/parley/internal/modules"
)

// copyTree copies the files of the working tree that git tracks or would add.
func copyTree(from, to string) error {
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = from
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		source, target := filepath.Join(from, name), filepath.Join(to, name)
		info, err := os.Lstat(source)
		if os.IsNotExist(err) || err == nil && !info.Mode().IsRegular() {
			continue // deleted, or not a file that a module can have
		}
		if err != nil {
			return err
		}
		content, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, content, info.Mode().Perm()); err != nil {
			return err
		}
	}
	return nil
}

// A release is a version of all modules that is published to a folder.
type release struct {
	version string
	modules []published
	tree    string // the files that are released
	main    string // the path of the root module
	program string // the source of a program that uses the root module
	temp    string // a directory for all files of the check
	proxy   string // a directory in the layout of GOPROXY, with the published modules
}

// publish commits and tags the files in a temporary repository, and makes the
// go command download each module from it. A public proxy does the same for a
// new version, so users get the same zip files. publish returns a line about
// each module.
func (r *release) publish() ([]string, error) {
	config := filepath.Join(r.temp, "gitconfig")
	// The module path begins with host and repository; the rest is a folder in
	// it.
	repository := "https://" + strings.Join(strings.SplitN(r.main, "/", 4)[:3], "/")
	settings := fmt.Sprintf("[user]\n\tname = release\n\temail = release@example.com\n[url %q]\n\tinsteadOf = %s\n",
		"file://"+filepath.ToSlash(r.tree), repository)
	if err := os.WriteFile(config, []byte(settings), 0o644); err != nil {
		return nil, err
	}
	git := append(os.Environ(), "GIT_CONFIG_GLOBAL="+config, "GIT_CONFIG_NOSYSTEM=1")
	commands := [][]string{{"init", "-q"}, {"add", "-A", "-f"}, {"commit", "-q", "-m", r.version}}
	for _, p := range r.modules {
		commands = append(commands, []string{"tag", p.tag(r.version)})
	}
	for _, args := range commands {
		command := exec.Command("git", args...)
		command.Dir, command.Env = r.tree, git
		if out, err := command.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}

	cache := filepath.Join(r.temp, "published")
	// The go command stores downloads in the layout of GOPROXY.
	r.proxy = filepath.Join(cache, "cache", "download")
	args := []string{"mod", "download", "-json"}
	for _, p := range r.modules {
		args = append(args, p.Path+"@"+r.version)
	}
	out, err := modules.Go(r.temp, []string{
		"GIT_CONFIG_GLOBAL=" + config, "GIT_CONFIG_NOSYSTEM=1", "GOVCS=*:git",
		"GOMODCACHE=" + cache, "GOPROXY=direct", "GOSUMDB=off", "GOFLAGS=-modcacherw",
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	return r.inspect(out)
}

// inspect checks that each zip file contains the files of the module's
// packages. It returns a line about each zip file.
func (r *release) inspect(downloads []byte) ([]string, error) {
	var lines []string
	decoder := json.NewDecoder(bytes.NewReader(downloads))
	for _, p := range r.modules {
		var download struct{ Path, Zip string }
		if err := decoder.Decode(&download); err != nil {
			return nil, err
		}
		archive, err := zip.OpenReader(download.Zip)
		if err != nil {
			return nil, err
		}
		defer archive.Close()
		has, size := map[string]bool{}, int64(0)
		for _, f := range archive.File {
			has[f.Name] = true
			size += int64(f.CompressedSize64)
		}
		prefix := download.Path + "@" + r.version + "/"
		if !has[prefix+"LICENSE"] {
			return nil, fmt.Errorf("%s has no LICENSE", download.Path)
		}
		for _, pkg := range append(p.libraries, p.commands...) {
			for _, file := range pkg.GoFiles {
				relative := path.Join(strings.TrimPrefix(pkg.ImportPath, p.Path), file)
				if !has[prefix+strings.TrimPrefix(relative, "/")] {
					return nil, fmt.Errorf("%s is not in the zip file of %s", path.Join(pkg.Dir, file), download.Path)
				}
			}
		}
		lines = append(lines, fmt.Sprintf("%s: %d files, %d KiB", p.Path, len(archive.File), size>>10))
	}
	return lines, nil
}
