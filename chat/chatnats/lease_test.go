package chatnats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

var room = events.StringID("room")

func TestRunWithLease_passesReleasedLeaseToNextContender(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	holders := make(chan string, 10)
	compete := func(id string) (stop func()) {
		return running(t, func(ctx context.Context) error {
			return RunWithLease(ctx, b, room, LeaseConfig{TTL: time.Minute, ID: id}, func(ctx context.Context) error {
				holders <- id
				<-ctx.Done()
				return nil
			})
		})
	}
	stop := compete("one")
	require.Equal(t, "one", wiretest.ReceiveFrom(t, holders))
	compete("two")
	who, err := Holder(wiretest.Context(t), b, room)
	require.NoError(t, err)
	require.Equal(t, "one", who)
	require.Empty(t, holders)
	stop()
	require.Equal(t, "two", wiretest.ReceiveFrom(t, holders))
	who, err = Holder(wiretest.Context(t), b, events.StringID("another"))
	require.NoError(t, err)
	require.Empty(t, who)
}

func TestRunWithLease_hasOneHolderAfterKeyIsRemoved(t *testing.T) {
	t.Parallel()
	lost := func(ctx context.Context, b *bucket) error { return b.stream.Purge(ctx) }
	for name, c := range map[string]struct {
		cfg    Config
		events int // stored before the key is removed
		remove func(ctx context.Context, b *bucket) error
	}{
		"deleted":                            {remove: func(ctx context.Context, b *bucket) error { return b.Delete(ctx, leaseKey(tokenOf(room))) }},
		"purged":                             {remove: func(ctx context.Context, b *bucket) error { return b.Purge(ctx, leaseKey(tokenOf(room))) }},
		"lost":                               {remove: lost},
		"lost, as the message of the tenure": {Config{MaxBytes: 50_000}, 1000, lost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBus(t, newServer(t).URL, c.cfg)
			var held atomic.Bool
			compete := func() <-chan struct{} {
				holding := make(chan struct{}, 10)
				running(t, func(ctx context.Context) error {
					return RunWithLease(ctx, b, room, LeaseConfig{TTL: 3 * time.Second}, func(ctx context.Context) error {
						if !held.CompareAndSwap(false, true) {
							t.Error("two hold the lease")
						}
						defer held.Store(false)
						holding <- struct{}{}
						<-ctx.Done()
						return nil
					})
				})
				return holding
			}
			one := compete()
			wiretest.ReceiveFrom(t, one)
			bucket, err := b.bucket(wiretest.Context(t), true)
			require.NoError(t, err)
			fill(t, b, "room", "r", c.events)
			require.NoError(t, c.remove(wiretest.Context(t), bucket))
			two := compete()
			select { // either may be the next one
			case <-one:
			case <-two:
			case <-wiretest.Context(t).Done():
				require.Fail(t, "there is no other holder")
			}
		})
	}
}

func TestRunWithLease_repeatsDroppedTenure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg    Config
		events int
	}{
		"by age":  {Config{MaxAge: 2 * time.Second}, 0},
		"by size": {Config{MaxBytes: 50_000}, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBus(t, newServer(t).URL, c.cfg)
			holding := make(chan struct{})
			running(t, func(ctx context.Context) error {
				return RunWithLease(ctx, b, room, LeaseConfig{TTL: time.Second}, func(ctx context.Context) error {
					holding <- struct{}{}
					<-ctx.Done()
					return nil
				})
			})
			wiretest.ReceiveFrom(t, holding)
			_, begun, err := b.lastTenure(wiretest.Context(t), tokenOf(room))
			require.NoError(t, err)
			require.NotZero(t, begun)
			fill(t, b, "room", "r", c.events)
			require.Eventually(t, func() bool {
				tenure, sequence, err := b.lastTenure(wiretest.Context(t), tokenOf(room))
				return err == nil && tenure != 0 && sequence > begun
			}, patience, 10*time.Millisecond)
		})
	}
}

func TestRunWithLease_endsSocketOfLateHolder(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	cut := newProxy(t, server.URL)
	backend := newBackend(t, nil)
	hold := func(b *Bus, message string, held chan<- *chat.Client) {
		running(t, func(ctx context.Context) error {
			return RunWithLease(ctx, b, room, LeaseConfig{TTL: time.Second}, func(ctx context.Context) error {
				client, err := chat.New(backend.URL, chat.Config{ChatID: room})
				require.NoError(t, err)
				defer func() { held <- client }()
				defer context.AfterFunc(ctx, func() { // the lease is lost
					err := client.SendMessage(ctx, events.UserMessage{MessageID: "late", UserID: events.IntID(1)})
					if err == nil {
						t.Error("a late holder has sent a message")
					}
				})()
				if message != "" {
					go func() { // ends with the message
						_ = client.SendMessage(ctx, events.UserMessage{MessageID: message, UserID: events.IntID(1)})
					}()
				}
				return client.Run(ctx)
			})
		})
	}
	one := make(chan *chat.Client, 10)
	hold(newBus(t, cut.URL, Config{}), "one", one)
	require.Equal(t, "one", received(t, backend).MessageID)
	cut.cut()
	late := wiretest.ReceiveFrom(t, one)
	require.Error(t, late.Health())
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	require.Error(t, late.SendMessage(ctx, events.UserMessage{MessageID: "later", UserID: events.IntID(1)}))
	hold(newBus(t, server.URL, Config{}), "two", make(chan *chat.Client, 10))
	require.Equal(t, "two", received(t, backend).MessageID)
	cut.mend()
}

func TestRunWithLease_returnsErrorOfFunction(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	broken := errors.New("broken")
	for range 2 { // the lease is free again at once
		err := RunWithLease(wiretest.Context(t), b, room, LeaseConfig{}, func(context.Context) error { return broken })
		require.ErrorIs(t, err, broken)
	}
	require.Error(t, RunWithLease(wiretest.Context(t), b, room, LeaseConfig{TTL: 1}, nil))
}

func TestRunWithLease_cancelsContextWhenRenewalFails(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	b := newBus(t, server.URL, Config{})
	lost := make(chan error, 1)
	ctx, cancel := context.WithCancel(wiretest.Context(t))
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
	require.ErrorIs(t, wiretest.ReceiveFrom(t, lost), ErrLeaseLost)
	require.Eventually(t, func() bool { return b.Stats().LeasesLost == 1 }, patience, time.Millisecond)
	cancel()
	require.NoError(t, wiretest.ReceiveFrom(t, done), "it competes again, until ctx ends")
}

func TestLeaseContext_reportsExpiryBeforeTimerFires(t *testing.T) {
	t.Parallel()
	h := newTenureCtx(t.Context(), time.Now().Add(time.Hour))
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
		line := wiretest.ReceiveFrom(t, c.lines)
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
	t.Parallel()
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
	t.Parallel()
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
	wiretest.ReceiveFrom(t, one)
	compete("two", server.URL, two)
	torn.cut()
	wiretest.ReceiveFrom(t, two)
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
