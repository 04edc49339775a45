//go:build soak

package chatnats

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

// TestFailoverSoak breaks processes of a fleet at random for the time in
// PARLEY_SOAK. It kills, stops and resumes, or cuts off a process, and once a
// round all of NATS. Each round has 100 answers; all records are checked at its
// end.
func TestFailoverSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("PARLEY_SOAK"))
	require.NoError(t, err, "PARLEY_SOAK")
	f := newFleet(t, 2*time.Millisecond)
	end := time.Now().Add(length)
	for round := 0; time.Now().Before(end); round++ {
		info, err := f.bus.stream.Info(wiretest.Context(t))
		require.NoError(t, err)
		f.script.begin()
		f.ask(round)
		for percent := 5; percent < 75; percent += 10 {
			f.reach(percent)
			f.breakOne()
		}
		for i := range f.nats.nodes {
			f.nats.nodes[i].kill()
		}
		f.script.finish()
		time.Sleep(5 * time.Second) // NATS is unreachable for that long
		for i := range f.nats.nodes {
			f.nats.start(i)
		}
		f.reach(100)
		f.moreAnswers()
		f.check(info.State.LastSeq + 1)
		t.Logf("round %d is over", round)
	}
	f.end()
}

// breakOne breaks a process, and repairs it later.
func (f *fleet) breakOne() {
	ids := []string{"w0", "w1", "w2", "q0", "holder", "holder", "node"}
	id, how := ids[rand.N(len(ids))], []string{"kill", "stop", "cut"}[rand.N(3)]
	f.t.Logf("%s: %s", id, how)
	broken := func(m *member) {
		switch how {
		case "kill":
			m.kill()
		case "stop":
			m.stop()
		case "cut":
			m.cut()
		}
	}
	heal := func(m *member) {
		switch how {
		case "kill":
			f.start(m.role, m.id)
		case "stop":
			m.cont()
		case "cut":
			m.mend()
		}
	}
	pause := 500*time.Millisecond + rand.N(8*time.Second)
	switch id {
	case "holder":
		m := f.loseHolder(broken)
		time.Sleep(pause)
		heal(m)
	case "node":
		leader := f.nats.leader(f.bus)
		if node := f.nats.nodes[leader]; how == "kill" {
			node.kill()
			time.Sleep(pause)
			f.nats.start(leader)
		} else {
			node.stop()
			time.Sleep(pause)
			node.cont()
		}
	default:
		m := f.members[id]
		broken(m)
		time.Sleep(pause)
		heal(m)
	}
}

// begin limits the answers of the next round to three quarters of their tokens.
func (r *resuming) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limit = killTokens * 3 / 4
}
