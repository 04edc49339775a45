package server_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/internal/nodetest"
	"github.com/seed67206a74/parley/interop/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	server.Run() // in the process of the backend
	goleak.VerifyTestMain(m)
}

// backend starts the backend on internal/sioserver in a process of its own.
func backend(t *testing.T, env ...string) *nodetest.Backend {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	return nodetest.StartProgram(t, []string{self}, append(env, server.Variable+"=parley")...)
}

func TestServer_servesNodeClient(t *testing.T) {
	for _, transports := range []string{"websocket", "polling", "polling,websocket"} {
		for _, env := range []string{"RECOVERY=1", "PER_MESSAGE_DEFLATE=1"} {
			t.Run(transports+" "+env, func(t *testing.T) {
				t.Parallel()
				b := backend(t, "RECOVERY=1", env)
				var checks []string
				for line := range strings.Lines(nodetest.Run(t, "serverclient.js", b.URL(), transports)) {
					var passed struct{ Check string }
					require.NoError(t, json.Unmarshal([]byte(line), &passed))
					checks = append(checks, passed.Check)
				}
				assert.Equal(t, []string{
					"connect", "transport and upgrade", "namespaces", "acknowledgements", "text", "binary", "order",
					"disconnect by the server", "reconnection and recovery",
				}, checks)
			})
		}
	}
}
