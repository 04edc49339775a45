// Package installed has the rule for tests that need a program.
package installed

import (
	"os"
	"testing"
)

// Need skips the test if err is not nil, because a program is missing. It fails
// the test instead if PARLEY_INTEROP is "required", as in make test. remedy is
// the command that installs the program, such as "make nginx".
func Need(t testing.TB, err error, remedy string) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("PARLEY_INTEROP") == "required" {
		t.Fatalf("%v (%s)", err, remedy)
	}
	t.Skipf("NOT TESTED: %v (%s)", err, remedy)
}
