//go:build soak

package chatnats

import (
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/require"
)

// TestFailover_losesNoEventInLongSequence breaks each kind of process in each
// way.
func TestFailover_losesNoEventInLongSequence(t *testing.T) {
	f := newFleet(t, time.Millisecond)
	f.moreAnswers()
	f.ask(0)
	f.reach(15)
	f.members["w0"].cut()
	f.members["w1"].stop()
	f.members["q0"].cut()
	asleep := f.loseHolder(func(m *member) { m.stop() })
	f.reach(25)
	asleep.cont() // it resumes and assumes that it has the lease
	f.members["w0"].mend()
	f.members["w1"].cont()
	f.members["q0"].mend()
	leader := f.nats.leader(f.bus)
	f.nats.nodes[leader].stop()
	f.reach(35)
	f.nats.nodes[leader].cont()
	f.members["q0"].stop()
	away := f.loseHolder(func(m *member) { m.cut() })
	f.reach(45)
	f.members["q0"].cont()
	away.mend()
	leader = f.nats.leader(f.bus)
	f.isolate(leader)
	f.reach(60)
	f.rejoin(leader)
	f.members["w2"].kill()
	f.loseHolder(func(m *member) { m.kill() })
	leader = f.nats.leader(f.bus)
	f.nats.nodes[leader].kill()
	f.script.finish()
	f.reach(100)
	f.moreAnswers()
	f.check(1)
	f.end()
}

func TestForward_catchesUpAfterLeaderIsKilledTwice(t *testing.T) {
	nats := newCluster(t)
	b := nats.open(Config{Replicas: 3})
	var topic bus.Topic[events.Event]
	f, err := Forward(t.Context(), b, topic.Source(), ForwardConfig{})
	require.NoError(t, err)
	pace := time.NewTicker(2 * time.Millisecond) // 500 events a second
	defer pace.Stop()
	killed := -1
	const all = 5000
	for i := range all {
		<-pace.C
		topic.Publish(token("room", "r", i))
		switch i {
		case all / 5, all * 3 / 5:
			killed = nats.leader(b)
			nats.nodes[killed].kill()
		case all * 2 / 5:
			nats.start(killed)
		}
	}
	begun := time.Now()
	topic.Close()
	require.NoError(t, f.Wait())
	t.Logf("the last event is stored after %v", time.Since(begun).Round(time.Millisecond))
	onceInOrder(t, b, all)
}
