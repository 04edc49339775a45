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

// A wire checks the numbers of the events that a client receives.
type wire struct {
	room       string
	mu         sync.Mutex
	seq        int // the last number
	events     int
	sessions   int // with a join
	recoveries int // sessions that were recovered
	faults     []string
	history    *history
}

func (w *wire) take(e conn.Event) {
	var said struct {
		ChatID    string
		Seq       *int
		Recovered bool
	}
	if e.Decode(0, &said) != nil || said.Seq == nil || said.ChatID != w.room {
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
	w.history.add("joined, recovered %v, at %d after %d", said.Recovered, *said.Seq, w.seq)
	if said.Recovered {
		w.recoveries++
		if *said.Seq != w.seq {
			w.faults = append(w.faults, fmt.Sprintf("recovered with the server at %d, but the client at %d", *said.Seq, w.seq))
		}
	}
	w.seq = *said.Seq
}

// lost returns the number of sessions that were not recovered. Before each of
// them, events may have been lost.
func (w *wire) lost() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sessions - w.recoveries
}

// wrong returns the events that were missing, repeated or out of order.
func (w *wire) wrong() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.faults)
}

// watch records the events and the states of the client. Both goroutines end
// when the client is closed.
func (p *peer) watch(t testing.TB) {
	p.wire.room, p.wire.history = p.room, &p.history
	raw := p.client.Raw.Subscribe(t.Context(), bus.Limit(1<<20))
	changes := p.client.States.Subscribe(t.Context(), bus.Limit(1<<20))
	go func() {
		for e := range raw.C() {
			p.wire.take(e)
		}
	}()
	go func() {
		for s := range changes.C() {
			p.history.add("%v", s)
			p.states.take(s)
		}
	}()
}

// A history has the last notes about a client, for the log of a failed round.
type history struct {
	mu    sync.Mutex
	lines []string
}

func (h *history) add(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.lines) >= 200 {
		h.lines = slices.Delete(h.lines, 0, 100)
	}
	h.lines = append(h.lines, time.Now().Format("05.000 ")+fmt.Sprintf(format, args...))
}

func (h *history) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.lines, "\n")
}
