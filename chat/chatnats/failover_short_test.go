package chatnats

import (
	"testing"
	"time"
)

// TestFailover_losesNoEventWhenProcessesFail breaks processes in the middle of
// 100 answers. The long form has more cases.
func TestFailover_losesNoEventWhenProcessesFail(t *testing.T) {
	t.Parallel()
	f := newFleet(t, time.Millisecond)
	f.moreAnswers()
	f.ask(0)
	f.reach(10)
	f.members["w0"].cut()
	f.members["w1"].stop()
	f.members["q0"].cut()
	asleep := f.loseHolder(func(m *member) { m.stop() })
	f.reach(25)
	asleep.cont() // it resumes and assumes that it has the lease
	f.members["w0"].mend()
	f.members["w1"].cont()
	f.members["q0"].mend()
	f.members["q0"].stop()
	leader := f.nats.leader(f.bus)
	f.isolate(leader)
	f.reach(60)
	f.rejoin(leader) // it resumes and assumes that it leads the stream
	f.members["q0"].cont()
	f.members["w2"].kill()
	f.loseHolder(func(m *member) { m.kill() })
	f.script.finish()
	f.reach(100)
	f.moreAnswers()
	f.check(1)
	f.end()
}
