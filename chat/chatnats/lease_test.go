package chatnats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/require"
)

var room = events.StringID("room")

func TestRunWithLease_passesReleasedLeaseToNextContender(t *testing.T) {
	b := newBus(t, newServer(t).URL, Config{})
	holders := make(chan string, 10)
	compete := func(id string) (stop func()) {
		return running(t, func(ctx context.Context) error {
			return RunWithLease(ctx, b, room, LeaseConfig{TTL: 2 * time.Second, ID: id}, func(ctx context.Context) error {
				holders <- id
				<-ctx.Done()
				return nil
			})
		})
	}
	stop := compete("one")
	require.Equal(t, "one", next(t, holders))
	compete("two")
	who, err := Holder(newContext(t), b, room)
	require.NoError(t, err)
	require.Equal(t, "one", who)
	require.Empty(t, holders)
	stop()
	require.Equal(t, "two", next(t, holders))
	who, err = Holder(newContext(t), b, events.StringID("another"))
	require.NoError(t, err)
	require.Empty(t, who)
}

func TestRunWithLease_returnsErrorOfFunction(t *testing.T) {
	b := newBus(t, newServer(t).URL, Config{})
	broken := errors.New("broken")
	for range 2 { // the lease is free again at once
		err := RunWithLease(newContext(t), b, room, LeaseConfig{}, func(context.Context) error { return broken })
		require.ErrorIs(t, err, broken)
	}
	require.Error(t, RunWithLease(newContext(t), b, room, LeaseConfig{TTL: 1}, nil))
}

func TestRunWithLease_cancelsContextWhenRenewalFails(t *testing.T) {
	server := newServer(t)
	b := newBus(t, server.URL, Config{})
	lost := make(chan error, 1)
	ctx, cancel := context.WithCancel(newContext(t))
	defer cancel()
	done := make(chan error, 1)
	go func() { // ends with ctx
		done <- RunWithLease(ctx, b, room, LeaseConfig{TTL: time.Second}, func(ctx context.Context) error {
			server.Close()
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			<-derived.Done()
			lost <- fenced(derived)
			return nil
		})
	}()
	require.ErrorIs(t, next(t, lost), ErrLeaseLost)
	cancel()
	require.NoError(t, next(t, done), "it competes again, until ctx ends")
}

func TestLeaseContext_reportsExpiryBeforeTimerFires(t *testing.T) {
	h := newHeld(t.Context(), time.Now().Add(time.Hour))
	defer h.end(nil)
	derived, cancel := context.WithCancel(h)
	defer cancel()
	require.NoError(t, h.Err())
	require.NoError(t, fenced(derived))
	h.until = time.Now().Add(-time.Second) // as after a pause; the timer has not fired
	require.ErrorIs(t, fenced(derived), ErrLeaseLost)
	require.Error(t, h.Err())
	h.extend(time.Now().Add(time.Hour))
	require.ErrorIs(t, context.Cause(h), ErrLeaseLost, "it does not come back")
}

func init() {
	// A contender prints the times at which it had the lease: "held
	// <nanoseconds>".
	roles["contender"] = func(ctx context.Context, args map[string]string) error {
		conn, err := nats.Connect(args["URL"], nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
		if err != nil {
			return err
		}
		b, err := Open(ctx, conn, Config{})
		if err != nil {
			return err
		}
		return RunWithLease(ctx, b, room, LeaseConfig{TTL: time.Second, ID: args["ID"]}, func(ctx context.Context) error {
			for tick := time.Tick(time.Millisecond); ; <-tick {
				at := time.Now() // taken first: the check refers to this time or a later one
				if ctx.Err() != nil {
					return nil
				}
				fmt.Println("held", at.UnixNano())
			}
		})
	}
}

// tenure reads the lines of a contender, until it has held the lease for a
// while after the given time.
func tenure(t testing.TB, c *child, claims *[]int64, after time.Time) {
	t.Helper()
	for {
		line := next(t, c.lines)
		at, err := strconv.ParseInt(strings.TrimPrefix(line, "held "), 10, 64)
		require.NoError(t, err)
		*claims = append(*claims, at)
		if at > after.UnixNano() {
			return
		}
	}
}

// disjoint requires that no claim of one contender lies between two claims of
// one tenure of the other.
func disjoint(t testing.TB, one, other []int64) {
	const tenure = int64(time.Second / 2) // a longer silence ends a tenure
	for i := 1; i < len(one); i++ {
		if one[i]-one[i-1] > tenure {
			continue
		}
		for _, at := range other {
			require.False(t, one[i-1] <= at && at <= one[i], "two hold the lease at %v", time.Unix(0, at))
		}
	}
}

func TestRunWithLease_hasOneHolderDuringStopAndKill(t *testing.T) {
	server := newServer(t)
	newBus(t, server.URL, Config{})
	var claims [2][]int64
	start := func(i int) *child {
		return newChild(t, "contender", map[string]string{"URL": server.URL, "ID": strconv.Itoa(i)})
	}
	holder, other := start(0), (*child)(nil)
	tenure(t, holder, &claims[0], time.Now())
	other = start(1)
	at := [2]int{0, 1} // maps the contenders to their claims
	for round := range 4 {
		tenure(t, holder, &claims[at[0]], time.Now())
		stopped := time.Now()
		if round == 3 {
			holder.kill() // not for the first time: it has been stopped before
		} else {
			holder.stop()
		}
		tenure(t, other, &claims[at[1]], stopped)
		if round < 3 {
			holder.cont() // it resumes and assumes that it has the lease
		}
		tenure(t, other, &claims[at[1]], time.Now())
		holder, other = other, holder
		at[0], at[1] = at[1], at[0]
	}
	holder.kill()
	other.kill()
	for i, c := range []*child{holder, other} {
		for line := range c.lines {
			at0, err := strconv.ParseInt(strings.TrimPrefix(line, "held "), 10, 64)
			require.NoError(t, err)
			claims[at[i]] = append(claims[at[i]], at0)
		}
	}
	disjoint(t, claims[0], claims[1])
	disjoint(t, claims[1], claims[0])
}

func TestRunWithLease_hasOneHolderDuringNetworkCut(t *testing.T) {
	server := newServer(t)
	torn := newProxy(t, server.URL)
	var mu sync.Mutex
	claims := map[string][]int64{}
	compete := func(id, url string, held chan<- struct{}) {
		b := newBus(t, url, Config{})
		running(t, func(ctx context.Context) error {
			return RunWithLease(ctx, b, room, LeaseConfig{TTL: time.Second, ID: id}, func(ctx context.Context) error {
				held <- struct{}{}
				tick := time.NewTicker(time.Millisecond)
				defer tick.Stop()
				for {
					at := time.Now().UnixNano() // taken first: see contender
					if ctx.Err() != nil {
						return nil
					}
					mu.Lock()
					claims[id] = append(claims[id], at)
					mu.Unlock()
					select {
					case <-tick.C:
					case <-ctx.Done():
					}
				}
			})
		})
	}
	one, two := make(chan struct{}, 100), make(chan struct{}, 100)
	compete("one", torn.URL, one)
	next(t, one)
	compete("two", server.URL, two)
	torn.cut()
	next(t, two)
	torn.mend() // the messages of the first one arrive now
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(claims["two"]) > 500
	}, patience, time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	require.NotEmpty(t, claims["one"])
	disjoint(t, claims["one"], claims["two"])
	disjoint(t, claims["two"], claims["one"])
}
