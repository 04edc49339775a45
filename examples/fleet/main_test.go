package main

import (
	"regexp"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/seed67206a74/parley/examples/internal/exampletest"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestFleet_reportsMissingServer(t *testing.T) {
	exampletest.ReportsMissingServer(t, "connection refused", 0, "-role", "holder", "-nats", "nats://127.0.0.1:1")
}

func TestFleet_reportsMissingBackend(t *testing.T) {
	exampletest.ReportsMissingServer(t, "connection refused", 0, "-backend", exampletest.NoServer)
}

// runFleet runs the example and returns its output.
func runFleet(t *testing.T, args ...string) string {
	out, err := exampletest.Command(t.Context(), args...).CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

func TestFleet_answersAfterHolderIsKilled(t *testing.T) {
	said := runFleet(t)
	for _, want := range []string{
		`(?s)holder-\d +holds the socket.*fleet +kills holder-\d.*holder-\d +holds the socket`,
		`front +answer to question-4: You said: what is 4 times 4\?`,
		`worker-\d +counted 7 words in the answer to question-1`,
		`reader +read the answer to question-1`,
	} {
		require.Regexp(t, regexp.MustCompile(want), said)
	}
}

func TestFleet_runsAsUsersOverTLS(t *testing.T) {
	cert, key := wiretest.Certificate(t)
	for name, value := range map[string]string{
		"FLEET_LISTEN": "127.0.0.1:4222", "FLEET_STORE": t.TempDir(), "FLEET_CERT": cert, "FLEET_KEY": key, "FLEET_PASSWORD": "secret",
	} {
		t.Setenv(name, value)
	}
	options, err := server.ProcessConfigFile("nats.conf")
	require.NoError(t, err)
	options.Port, options.NoLog, options.NoSigs = server.RANDOM_PORT, true, true
	s, err := server.NewServer(options)
	require.NoError(t, err)
	go s.Start() // ends with the test
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	require.True(t, s.ReadyForConnections(time.Minute))
	said := runFleet(t, "-nats", s.ClientURL(), "-ca", cert, "-questions", "2")
	require.Regexp(t, `front +answer to question-2`, said)
	require.NotContains(t, said, "ermission")
}
