package chaos

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
)

// A wire follows the numbers of what a client hears, as it comes off the wire.
type wire struct {
	mu         sync.Mutex
	seq        int // the last number
	events     int
	sessions   int // that were joined
	recoveries int // of these, how many were recovered
	faults     []string
	diary      *diary
}

func (w *wire) take(e conn.Event) {
	var said struct {
		Seq       *int
		Recovered bool
	}
	if e.Decode(0, &said) != nil || said.Seq == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Name != "chaos:joined" {
		w.events++
		if *said.Seq != w.seq+1 {
			w.faults = append(w.faults, fmt.Sprintf("%s has number %d after %d", e.Name, *said.Seq, w.seq))
		}
		w.seq = *said.Seq
		return
	}
	w.sessions++
	w.diary.note("joined, recovered %v, at %d after %d", said.Recovered, *said.Seq, w.seq)
	if said.Recovered {
		w.recoveries++
		if *said.Seq != w.seq {
			w.faults = append(w.faults, fmt.Sprintf("recovered with the server at %d, and %d the last that came", *said.Seq, w.seq))
		}
	}
	w.seq = *said.Seq
}

// lost returns how many sessions were not recovered: each is one that may have
// lost something.
func (w *wire) lost() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sessions - w.recoveries
}

// wrong returns what was missing, came twice or changed its place.
func (w *wire) wrong() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.faults)
}

// watch keeps what the client hears and goes through. Both goroutines end when
// the client is closed.
func (p *peer) watch(t testing.TB) {
	p.wire.diary = &p.diary
	raw := p.client.Raw.Subscribe(t.Context(), bus.Limit(1<<20))
	changes := p.client.States.Subscribe(t.Context(), bus.Limit(1<<20))
	go func() {
		for e := range raw.C() {
			p.wire.take(e)
		}
	}()
	go func() {
		for s := range changes.C() {
			p.diary.note("%v", s)
			p.states.take(s)
		}
	}()
}

// A diary keeps what a client has gone through last, for the log of a round that fails.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.lines) >= 200 {
		d.lines = slices.Delete(d.lines, 0, 100)
	}
	d.lines = append(d.lines, time.Now().Format("05.000 ")+fmt.Sprintf(format, args...))
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines, "\n")
}
