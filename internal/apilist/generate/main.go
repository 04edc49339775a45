// Generate writes the listings of the exported API into the folder api of the
// repository whose root is its argument. With -check it writes nothing, and
// fails if they are not up to date.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed67206a74/parley/internal/apilist"
)

func main() {
	check := flag.Bool("check", false, "compare only")
	flag.Parse()
	if err := run(flag.Arg(0), *check); err != nil {
		fmt.Fprintln(os.Stderr, "apilist:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	want, err := apilist.Repository(root)
	if err != nil {
		return err
	}
	folder := filepath.Join(root, apilist.Folder)
	if !check {
		return apilist.Write(folder, want)
	}
	got, err := apilist.Read(folder)
	if err != nil {
		return err
	}
	if diff := apilist.Diff(got, want); diff != "" {
		return fmt.Errorf("the exported API differs from the listings in %s:\n\n%s\n"+
			"If the change is intended, run make generate and commit the files", apilist.Folder, diff)
	}
	return nil
}
