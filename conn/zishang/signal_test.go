package zishang_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The test runs a program, because in a test binary the client does not
// register for signals.
func TestImport_leavesSignalHandlingToProgram(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "importer")
	out, err := exec.Command("go", "build", "-o", binary, "./testdata/importer").CombinedOutput()
	require.NoError(t, err, string(out))
	for name, signal := range map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := exec.Command(binary, "nothing", name).Output()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "the signal did not end it; output: %q", out)
			assert.Equal(t, signal, exit.Sys().(syscall.WaitStatus).Signal())
			assert.Equal(t, binary+"\n", string(out), "os.Args[0] is unchanged")

			out, err = exec.Command(binary, "notify", name).Output()
			require.NoError(t, err)
			assert.Equal(t, binary+"\nnotified\n", string(out))

			out, err = exec.Command(binary, "ignore", name).Output()
			require.NoError(t, err)
			assert.Equal(t, binary+"\nalive\n", string(out))

			if signal != syscall.SIGINT {
				return // the Go runtime keeps SIGINT ignored, but not SIGTERM
			}
			// The program starts with the signal ignored, as nohup does for
			// SIGHUP.
			out, err = exec.Command("sh", "-c", `trap "" `+name+`; exec "$0" nothing `+name, binary).Output()
			require.NoError(t, err)
			assert.Equal(t, binary+"\nalive\n", string(out))
		})
	}
	t.Run("QUIT", func(t *testing.T) {
		err := exec.Command(binary, "nothing", "QUIT").Run()
		var exit *exec.ExitError
		require.True(t, errors.As(err, &exit))
		assert.Equal(t, 2, exit.ExitCode(), "the runtime's default: a dump of all goroutines")
	})
}
