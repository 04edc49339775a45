package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/nodetest"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A mode is the configuration of a round.
type mode struct {
	name       string
	recovering bool
	transports []string
}

var modes = []mode{
	{"recovering-websocket", true, []string{conn.WebSocket}},
	{"recovering-upgrade", true, []string{conn.Polling, conn.WebSocket}},
	{"recovering-polling", true, []string{conn.Polling}},
	{"no-recovery", false, []string{conn.WebSocket, conn.Polling}},
}

// A size is the length of a round. The faults of a client end after a number of
// breaks, and at the limit at the latest.
type size struct {
	breaks int
	limit  time.Duration
}

// roundLimit ends a round that makes no progress.
const roundLimit = 4 * time.Minute

var short, long = size{6, 3 * time.Second}, size{20, 8 * time.Second}

// TestChaos runs a short round in each mode with a fixed seed. If PARLEY_CHAOS
// is a duration, it runs long rounds with random seeds for that time. If
// PARLEY_CHAOS_SEED is set, it runs a long round with that seed in each mode.
func TestChaos(t *testing.T) {
	duration, seed := os.Getenv("PARLEY_CHAOS"), os.Getenv("PARLEY_CHAOS_SEED")
	switch {
	case seed != "":
		seed, err := strconv.ParseUint(seed, 10, 64)
		require.NoError(t, err)
		for _, m := range modes {
			t.Run(m.name, func(t *testing.T) { m.run(t, seed, long) })
		}
	case duration != "":
		duration, err := time.ParseDuration(duration)
		require.NoError(t, err)
		for end := time.Now().Add(duration); time.Now().Before(end) && !t.Failed(); {
			seed := rand.Uint64()
			for _, m := range modes {
				t.Run(fmt.Sprint(m.name, "/", seed), func(t *testing.T) { m.run(t, seed, long) })
			}
		}
	default:
		for _, m := range modes {
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				m.run(t, 1, short)
			})
		}
	}
}

// run runs a round with a server of its own.
func (m mode) run(t *testing.T, seed uint64, until size) {
	var env []string
	if m.recovering {
		env = []string{"RECOVERY=1"}
	}
	backend := startServer(t, env...)
	m.runOn(t, backend, startControl(t, backend), seed, until)
}

// runOn runs a round. Clients work behind proxies, each with its own plan,
// until the faults end. Then the records of the clients and of the server are
// compared.
func (m mode) runOn(t *testing.T, backend *nodetest.Backend, control *conn.Conn, seed uint64, until size) {
	t.Logf("PARLEY_CHAOS_SEED=%d", seed)
	ctx, cancel := context.WithTimeout(t.Context(), roundLimit)
	defer cancel()
	w := &workload{ctx: ctx, enough: make(chan struct{}), recovering: m.recovering, failed: map[string]int{}}
	var peers []*peer
	var audiences []*readers
	for n := range 2 {
		proxy := startProxy(t, backend, Plan{Seed: seed, Client: uint64(n)}.Faults)
		p := m.newPeer(t, fmt.Sprintf("room%d-%d", n, seed), proxy, control)
		audiences = append(audiences, p.startReaders(t))
		p.run(t)
		peers = append(peers, p)
	}

	var working, healing sync.WaitGroup
	delivered := make([][2][]string, len(peers))
	mixed := make([]*mixture, len(peers))
	for i, p := range peers {
		for n := range 2 {
			working.Go(func() { w.ask(p, fmt.Sprint("q", n)) })
			working.Go(func() { delivered[i][n] = w.deliver(p, fmt.Sprint("d", n)) })
		}
		mixed[i] = w.mix(p, &working)
		healing.Go(func() { w.heal(p, until) })
	}
	healing.Wait()
	close(w.enough)
	working.Wait()

	for i, p := range peers {
		p.check(t, delivered[i])
		mixed[i].check(t)
		audiences[i].check(t, p)
		t.Log(p.summary())
		t.Log(mixed[i].summary(), audiences[i].summary())
	}
	assert.Empty(t, w.faults)
	assert.Positive(t, w.delivered)
	assert.Positive(t, w.answered+len(w.failed))
	t.Logf("answered %d (%d with the rest in one token), delivered %d, given up %v", w.answered, w.bridged, w.delivered, w.failed)
	if !t.Failed() {
		return
	}
	t.Logf("to repeat it: cd interop && PARLEY_CHAOS_SEED=%d go test -race -v -run '^TestChaos$/^%s$' ./chaos", seed, m.name)
	for i, p := range peers {
		t.Logf("%s\n%v", p.room, &p.history)
		for n := range p.proxy.Connections() {
			t.Logf("%s, connection %d: %v", p.room, n, Plan{Seed: seed, Client: uint64(i)}.Faults(n))
		}
	}
}

// newPeer returns a client with the configuration of the mode.
func (m mode) newPeer(t *testing.T, room string, proxy *Proxy, control *conn.Conn) *peer {
	t.Helper()
	cfg := chat.Config{
		Stream:   chat.StreamConfig{FirstTokenTimeout: time.Second, IdleTimeout: time.Second, OfflineTimeout: time.Second, GapTimeout: 300 * time.Millisecond},
		Delivery: chat.Delivery{AckTimeout: 2 * time.Second},
		Conn:     conn.Config{Transports: m.transports},
	}
	var p *peer
	if m.recovering {
		cfg.Stream = chat.StreamConfig{
			FirstTokenTimeout: 2 * time.Second, IdleTimeout: 10 * time.Second, OfflineTimeout: 2 * roundLimit, GapTimeout: 2 * roundLimit,
			Resume: func(ctx context.Context, s *chat.Stream) error { return p.resume(ctx, s) },
		}
	}
	p = newPeer(t, room, proxy, control, cfg)
	return p
}

// heal ends the faults of a client's network when until is reached. It checks
// that the client reconnects after that, and that the server then refuses at
// most two attempts: one by an earlier fault, and one in progress.
func (w *workload) heal(p *peer, until size) {
	ctx, cancel := context.WithTimeout(w.ctx, until.limit)
	defer cancel()
	p.proxy.AwaitBroken(ctx, until.breaks)
	before := len(p.states.failures())
	p.proxy.Heal()
	if _, err := readRecord(w.ctx, p.client.Conn(), p.room); err != nil {
		w.fault("%s has not reconnected after the end of the faults: %v", p.room, err)
	}
	if failures := p.states.failures()[before:]; len(failures) > 2 {
		w.fault("%s has failed after the end of the faults: %v", p.room, failures)
	}
}

// check compares the records of both ends.
func (p *peer) check(t *testing.T, delivered [2][]string) {
	record, err := readRecord(wiretest.Context(t), p.control, p.room)
	require.NoError(t, err)
	for n, ids := range delivered {
		processed := slices.DeleteFunc(slices.Clone(record.Processed), func(id string) bool {
			return !strings.HasPrefix(id, fmt.Sprintf("%s-d%d-", p.room, n))
		})
		assert.Equal(t, ids, processed, "processed once, in order")
	}
	assert.Empty(t, p.wire.wrong())
	assert.Empty(t, p.states.wrong())
}

// summary returns the counts of a client, for the log.
func (p *peer) summary() string {
	_, waits := p.states.count()
	p.wire.mu.Lock()
	defer p.wire.mu.Unlock()
	return fmt.Sprintf("%s: %d connections, %d broken, %d waits; %d sessions, %d recovered; %d events",
		p.room, p.proxy.Connections(), p.proxy.Broken(), waits, p.wire.sessions, p.wire.recoveries, p.wire.events)
}
