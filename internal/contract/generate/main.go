// Generate writes the contract into a directory. It is run by go generate,
// in the directory of package contract.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed67206a74/parley/internal/contract"
)

func main() {
	if err := generate("../../events", os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func generate(source, target string) error {
	c, err := contract.Read(source)
	if err != nil {
		return err
	}
	files, err := c.Files()
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(target, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
