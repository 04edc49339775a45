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

// A program of its own, because in a test binary the client leaves signals
// alone anyway.
func TestImport_leavesSignalHandlingToProgram(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "importer")
	out, err := exec.Command("go", "build", "-o", binary, "./testdata/importer").CombinedOutput()
	require.NoError(t, err, string(out))
	for name, signal := range map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := exec.Command(binary, "nothing", name).Output()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "it should have been ended, but says %q", out)
			assert.Equal(t, signal, exit.Sys().(syscall.WaitStatus).Signal())
			assert.Equal(t, binary+"\n", string(out), "the name of the program is its own")

			out, err = exec.Command(binary, "notify", name).Output()
			require.NoError(t, err)
			assert.Equal(t, binary+"\nnotified\n", string(out))

			out, err = exec.Command(binary, "ignore", name).Output()
			require.NoError(t, err)
			assert.Equal(t, binary+"\nalive\n", string(out))

			if signal != syscall.SIGINT {
				return // the runtime itself does not keep it ignored
			}
			// As nohup starts a program.
			out, err = exec.Command("sh", "-c", `trap "" `+name+`; exec "$0" nothing `+name, binary).Output()
			require.NoError(t, err)
			assert.Equal(t, binary+"\nalive\n", string(out))
		})
	}
	t.Run("QUIT", func(t *testing.T) {
		err := exec.Command(binary, "nothing", "QUIT").Run()
		var exit *exec.ExitError
		require.True(t, errors.As(err, &exit))
		assert.Equal(t, 2, exit.ExitCode(), "the runtime's own answer: a dump of all goroutines")
	})
}
