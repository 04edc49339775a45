// Release prepares and checks a release of all modules of the repository. It is
// run in the root of the repository; docs/releasing.md has the steps.
//
//	go run ./internal/release -version v0.1.0
//
// makes the modules require each other in that version, and prints the commands
// for its tags.
//
//	go run ./internal/release -check [-version v0.1.0]
//
// publishes the modules to a folder, as the go command publishes a tag, and
// builds programs from there, as users do. Without -version it checks a copy
// that it prepares for the version v0.1.0-check. With -version the files must
// already be prepared.
package main

import (
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
)

// checkVersion is the version that is checked without -version.
const checkVersion = "v0.1.0-check"

// newcomerDir has programs as users write them, each with a test that runs it.
const newcomerDir = "interop/newcomer"

// program is the source of a program that uses the root module.
//
//go:embed consumer/main.go
var program string

func main() {
	version := flag.String("version", "", "`version` to release")
	check := flag.Bool("check", false, "check that users can build from the release; change nothing")
	flag.Parse()
	if err := run(*version, *check); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

var semantic = regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`)

func run(version string, check bool) error {
	switch {
	case version != "" && !semantic.MatchString(version):
		return fmt.Errorf("%q is not a version such as v0.1.0", version)
	case check:
		return checkRelease(os.Stdout, ".", version, program)
	case version == "":
		return errors.New("neither -version nor -check is set")
	}
	modules, err := prepare(".", version)
	if err != nil {
		return err
	}
	fmt.Println("The modules require each other in version " + version + ". Once that is committed:")
	all := ""
	for _, tag := range tags(modules, version) {
		fmt.Println("  git tag " + tag)
		all += " " + tag
	}
	fmt.Println("  git push origin" + all)
	return nil
}
