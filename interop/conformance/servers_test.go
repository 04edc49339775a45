package conformance

import (
	"os"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/internal/nodetest"
	backends "github.com/seed67206a74/parley/interop/server"
	"github.com/stretchr/testify/require"
)

// A pair is a server and the rigs that reach it.
type pair struct {
	name   string // the beginning of its rows
	script string // in Node; "" for a server in Go
	env    string // chooses the server
	over   []rig
}

// others are the other servers, with all rigs.
var others = []pair{
	{"socket.io 3.0, ", server, "SOCKET_IO=socket.io-3.0", rigs},
	{"socket.io 4.0, ", server, "SOCKET_IO=socket.io-4.0", rigs},
	{"socket.io 4.6, ", server, "SOCKET_IO=socket.io-4.6", rigs},
	{"parley server, ", "", backends.Variable + "=parley", rigs},
	{"zishang server, ", "", backends.Variable + "=zishang", rigs},
}

// allServers reports whether all rows run, against all servers. make
// conformance sets it.
var allServers = os.Getenv("PARLEY_SERVERS") == "all"

// pairs returns the servers of a behaviour. The first is that of the script,
// over all rigs. Without allServers the others are one old version of npm's
// server and internal/sioserver, each over one of the native transports. The
// index of the behaviour chooses the version and the transports in turn.
func pairs(script, behaviour string, index int) []pair {
	current := []pair{{"", script, "SOCKET_IO=socket.io", rigs}}
	switch {
	case script != server:
		return current
	case allServers:
		return append(current, others...)
	}
	old, inGo := others[index%3], others[3]
	if strings.HasPrefix(gaps[behaviour][strings.TrimSuffix(old.name, ", ")], missing) {
		old = others[2] // it has all features
	}
	old.over = rigs[index/3%3:][:1]
	inGo.over = rigs[index%3:][:1]
	return append(current, old, inGo)
}

// shared has the running servers of the behaviours that need no environment of
// their own.
var shared = map[string]*nodetest.Backend{}

// stopShared ends the servers in shared.
func stopShared() {
	for _, backend := range shared {
		backend.Kill()
	}
}

// start returns the running server. Without env it is shared by all behaviours
// and runs until stopShared; with env it runs until the end of the test.
func (p pair) start(t *testing.T, env []string) *nodetest.Backend {
	t.Helper()
	if len(env) > 0 {
		return p.startWith(t, env)
	}
	key := p.script + " " + p.env
	if shared[key] == nil {
		shared[key] = p.startWith(keeper{t}, nil)
	}
	return shared[key]
}

func (p pair) startWith(t testing.TB, env []string) *nodetest.Backend {
	t.Helper()
	env = append(env[:len(env):len(env)], p.env)
	if p.script != "" {
		return nodetest.Start(t, p.script, env...)
	}
	self, err := os.Executable()
	require.NoError(t, err)
	return nodetest.StartProgram(t, []string{self}, env...)
}

// A keeper is a test that does not clean up.
type keeper struct{ testing.TB }

// Cleanup does nothing.
func (keeper) Cleanup(func()) {}
