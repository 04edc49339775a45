package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// vale runs Vale over the prose of files.
func vale(files []*file) (map[*file][]finding, error) {
	dir, err := os.MkdirTemp("", "prose")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	byPath := map[string]*file{}
	for i, f := range files {
		var text bytes.Buffer
		for _, line := range f.prose {
			fmt.Fprintln(&text, line.text)
		}
		path := filepath.Join(dir, fmt.Sprintf("%d.md", i))
		if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
			return nil, err
		}
		byPath[path] = f
	}

	cmd := exec.Command("go", "tool", "-modfile=.ci/vale.mod", "vale",
		"--no-global", "--no-exit", "--config=.vale.ini", "--output=JSON", dir)
	cmd.Env = append(os.Environ(), "GOWORK=off") // -modfile is not allowed in a workspace
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("vale: %w", err)
	}
	var alerts map[string][]struct {
		Check, Message string
		Line           int
		Span           [2]int
	}
	if err := json.Unmarshal(out, &alerts); err != nil {
		return nil, fmt.Errorf("vale: %w: %s", err, out)
	}
	findings := map[*file][]finding{}
	for path, found := range alerts {
		f := byPath[path]
		if f == nil {
			return nil, fmt.Errorf("vale: findings in an unknown file %s", path)
		}
		for _, a := range found {
			at := f.prose[a.Line-1]
			rule := strings.TrimPrefix(a.Check, "Parley.")
			findings[f] = append(findings[f], finding{f.path, at.line, at.column + a.Span[0] - 1, rule, a.Message})
		}
	}
	return findings, nil
}
