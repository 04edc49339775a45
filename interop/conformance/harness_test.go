package conformance

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/conn/zishang"
	"github.com/seed67206a74/parley/internal/nodetest"
	backends "github.com/seed67206a74/parley/interop/server"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// A rig is one way for conn to reach the server.
type rig struct {
	name string
	cfg  conn.Config
}

var rigs = []rig{
	{"websocket", conn.Config{Transports: []string{conn.WebSocket}}},
	{"polling", conn.Config{Transports: []string{conn.Polling}}},
	{"polling→websocket", conn.Config{Transports: []string{conn.Polling, conn.WebSocket}}},
	{"zishang", conn.Config{Transports: []string{conn.WebSocket}, Dialer: zishang.Dialer{}}},
}

// A row is one check of a behaviour. Its TestingT is a test or, for a known
// gap, a recorder.
type row struct {
	require.TestingT
	rig     rig
	url     string
	backend *nodetest.Backend
	ctx     context.Context // ends with the row
	cleanup *[]func()
}

// results has the results of the rows, in the order of the tests.
var results struct {
	sync.Mutex
	behaviours []string
	failed     map[string]map[string]string // the reason, by behaviour and rig
}

// conform checks a behaviour over every rig, against one server of the given
// script and environment. The behaviour's name is its row in the table.
//
// For the script [server] the behaviour is also checked against the other
// servers. The rows of these servers begin with the server's name, and are not
// part of the table.
func conform(t *testing.T, behaviour, script string, env []string, check func(r *row)) {
	results.Lock()
	index := len(results.behaviours)
	results.behaviours = append(results.behaviours, behaviour)
	results.Unlock()
	for _, p := range pairs(script, behaviour, index) {
		conformTo(t, p.name, behaviour, p.start(t, env), p.over, check)
	}
}

// conformTo checks a behaviour over the given rigs against one server.
func conformTo(t *testing.T, to, behaviour string, backend *nodetest.Backend, over []rig, check func(r *row)) {
	for _, rig := range over {
		t.Run(to+rig.name, func(t *testing.T) {
			r := &row{TestingT: t, rig: rig, url: backend.URL(), backend: backend, cleanup: new([]func())}
			reason := cmp.Or(gaps[behaviour][to+rig.name], gaps[behaviour][strings.TrimSuffix(to, ", ")])
			if to != "" && reason == "" {
				reason = gaps[behaviour][rig.name] // a gap of the client
			}
			if strings.HasPrefix(reason, sometimes) || strings.HasPrefix(reason, missing) {
				t.Skip(reason)
			}
			if reason == "" {
				attempts := 1
				if strings.HasPrefix(to, "zishang") {
					attempts = lossyAttempts
				}
				for range attempts - 1 {
					if !r.fails(check) {
						return
					}
				}
				r.run(check)
				return
			}
			if !r.failsOnce(check) {
				t.Errorf("the known gap %q passes %d times: remove it from gaps.go", reason, gapAttempts)
			}
			if to != "" {
				return
			}
			results.Lock()
			defer results.Unlock()
			if results.failed == nil {
				results.failed = map[string]map[string]string{}
			}
			if results.failed[behaviour] == nil {
				results.failed[behaviour] = map[string]string{}
			}
			results.failed[behaviour][rig.name] = reason
		})
	}
}

// lossyAttempts is the maximum number of attempts of a row against the server
// of zishang520, which sometimes loses packets. It reads from a websocket
// before it adds its listeners. It also handles a packet right after a CONNECT
// as if there were no CONNECT.
const lossyAttempts = 5

// gapAttempts is the maximum number of attempts until a known gap fails. A gap
// that depends on timing passes now and then: the client of zishang520 posts at
// once if the post begins before its next poll.
const gapAttempts = 5

// fails runs a check, and reports whether it fails.
func (r *row) fails(check func(r *row)) bool {
	recorder := new(recorder)
	trial := *r
	trial.TestingT, trial.cleanup = recorder, new([]func())
	done := make(chan struct{})
	go func() { // ends with the check, or with its FailNow
		defer close(done)
		trial.run(check)
	}()
	<-done
	return recorder.failed
}

// failsOnce reports whether a check fails in any of gapAttempts attempts.
func (r *row) failsOnce(check func(r *row)) bool {
	for range gapAttempts {
		if r.fails(check) {
			return true
		}
	}
	return false
}

func (r *row) run(check func(r *row)) {
	limit := 2 * time.Minute
	if _, ok := r.TestingT.(*recorder); ok {
		limit = 3 * time.Second // some gaps appear as a timeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	r.ctx = ctx
	defer cancel()
	defer func() {
		for i := len(*r.cleanup) - 1; i >= 0; i-- {
			(*r.cleanup)[i]()
		}
	}()
	check(r)
}

// A recorder records whether a row fails that is expected to fail.
type recorder struct{ failed bool }

func (r *recorder) Errorf(string, ...any) { r.failed = true }
func (r *recorder) FailNow()              { r.failed = true; runtime.Goexit() }

// soon is a policy with short waits.
var soon = reconnect.Policy{InitialInterval: 10 * time.Millisecond, MaxInterval: 50 * time.Millisecond}

// client runs a connection until the row ends. path is the namespace and the
// query; change may set more of its Config.
func (r *row) client(path string, change func(cfg *conn.Config)) (*conn.Conn, <-chan error) {
	cfg := r.rig.cfg
	cfg.Reconnect = soon
	if change != nil {
		change(&cfg)
	}
	c, err := conn.New(r.url+path, cfg)
	require.NoError(r, err)
	return c, r.start(c)
}

func (r *row) start(c *conn.Conn) <-chan error {
	ended := make(chan error, 1)
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(r.ctx)
	go func() { defer close(done); ended <- c.Run(ctx) }()
	*r.cleanup = append(*r.cleanup, func() { cancel(); <-done; _ = c.Close() })
	return ended
}

// receive returns the next value of a channel.
func receive[T any](r *row, ch <-chan T) T {
	select {
	case v, ok := <-ch:
		require.True(r, ok, "channel closed")
		return v
	case <-r.ctx.Done():
		require.FailNow(r, "nothing received")
		panic("unreachable")
	}
}

// provoke emits an event upon which the server ends the session. The session
// may end before the client reports that the event is written.
func (r *row) provoke(c *conn.Conn, event string, args ...any) {
	err := c.Emit(r.ctx, event, args...)
	var failed *conn.SendError
	if errors.As(err, &failed) && failed.MaybeSent && errors.Is(err, conn.ErrSessionLost) {
		return
	}
	require.NoError(r, err)
}

// call is conn.Call within the row.
func call[R any](r *row, c *conn.Conn, event string, args ...any) R {
	reply, err := conn.Call[R](r.ctx, c, event, args...)
	require.NoError(r, err, event)
	return reply
}

func TestMain(m *testing.M) {
	backends.Run() // in the process of another server
	code := m.Run()
	stopShared()
	full := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""
	if code == 0 && full && len(results.behaviours) > 0 {
		if err := compareTable("../../docs/compatibility.md", table()); err != nil {
			fmt.Println(err)
			code = 1
		}
	}
	if code == 0 {
		err := goleak.Find(goleak.IgnoreAnyFunction("github.com/zishang520/socket.io/v3/pkg/utils.SetInterval.func1"))
		if err != nil {
			fmt.Println(err)
			code = 1
		}
	}
	os.Exit(code)
}

// table returns the results as a Markdown table, with a list of the gaps.
func table() string {
	var b strings.Builder
	b.WriteString("| behaviour |")
	for _, r := range rigs {
		b.WriteString(" " + r.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat(":---:|", len(rigs)) + "\n")
	var notes []string
	for _, behaviour := range results.behaviours {
		b.WriteString("| " + behaviour + " |")
		for _, r := range rigs {
			mark := "✓"
			if why := results.failed[behaviour][r.name]; why != "" {
				notes = append(notes, why)
				mark = fmt.Sprintf("no (%d)", len(notes))
			}
			b.WriteString(" " + mark + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	for i, note := range notes {
		fmt.Fprintf(&b, "- (%d) %s.\n", i+1, note)
	}
	return b.String()
}

const (
	begin = "<!-- conformance -->\n"
	end   = "<!-- /conformance -->\n"
)

// compareTable compares the table with the one in the file. With
// PARLEY_CONFORMANCE=write it replaces a table that differs.
func compareTable(file, table string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(content), begin)
	written, after, ok2 := strings.Cut(rest, end)
	switch {
	case !ok || !ok2:
		return fmt.Errorf("%s has no place for the table of behaviours", file)
	case strings.TrimSpace(written) == strings.TrimSpace(table):
		return nil
	case os.Getenv("PARLEY_CONFORMANCE") == "write":
		return os.WriteFile(file, []byte(before+begin+"\n"+table+"\n"+end+after), 0o644)
	}
	return fmt.Errorf("the table of behaviours in %s differs from the results of the tests: run make conformance", file)
}
