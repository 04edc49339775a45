package chaos

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

const herd = 1000

// A herdServer is a server that records the connects of each client.
type herdServer struct {
	*httptest.Server

	mu       sync.Mutex
	down     bool
	inside   map[*websocket.Conn]int // the client of each connection
	arrivals [herd][]time.Time       // of each client, since the reset
	resets   [herd]time.Time
	refused  int
	enough   chan struct{} // closed when refused reaches herd
}

func startHerdServer() *herdServer {
	p := &herdServer{inside: map[*websocket.Conn]int{}, enough: make(chan struct{})}
	p.Server = httptest.NewServer(p)
	return p
}

func (p *herdServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	client, err := strconv.Atoi(r.URL.Query().Get("client"))
	if err != nil || !p.arrive(client) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	p.mu.Lock()
	p.inside[ws] = client
	p.mu.Unlock()
	peer := &wiretest.Peer{WS: ws, Request: r}
	peer.Welcome()
	peer.UntilGone()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.inside, ws)
}

// arrive records a connect, and reports whether the client is admitted.
func (p *herdServer) arrive(client int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrivals[client] = append(p.arrivals[client], time.Now())
	if !p.down {
		return true
	}
	if p.refused++; p.refused == herd {
		p.down = false // admit the next client
		close(p.enough)
	}
	return false
}

// lose resets all connections. It refuses clients until as many attempts were
// refused as there are clients.
func (p *herdServer) lose() (since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	p.arrivals = [herd][]time.Time{}
	since = time.Now()
	for ws, client := range p.inside {
		p.resets[client] = time.Now()
		reset(ws.NetConn())
	}
	return since
}

func TestReconnect_spreadsAttemptsOfManyClients(t *testing.T) {
	p := startHerdServer()
	defer p.Close()
	ctx := wiretest.Context(t)
	var clients [herd]*conn.Conn
	var changes [herd]*bus.Subscription[conn.State]
	var running, closing sync.WaitGroup
	for i := range clients {
		c, err := conn.New(p.URL, conn.Config{
			Query:      url.Values{"client": {strconv.Itoa(i)}},
			Transports: []string{conn.WebSocket}, // one request per attempt
			Logger:     quiet,
		})
		require.NoError(t, err)
		clients[i], changes[i] = c, c.States.Subscribe(t.Context())
	}
	defer func() {
		for _, c := range clients {
			closing.Go(func() { c.Close() })
		}
		closing.Wait()
		running.Wait()
	}()
	var starting errgroup.Group
	starting.SetLimit(20)
	for _, c := range clients {
		starting.Go(func() error {
			running.Go(func() { _ = c.Run(context.Background()) }) // ends with Close
			return c.Ready(ctx)
		})
	}
	require.NoError(t, starting.Wait())

	since := p.lose()
	receiveClosed(t, p.enough)
	waits := make([][]conn.State, herd)
	for i, sub := range changes {
		for ready := false; !ready; {
			s := wiretest.ReceiveFrom(t, sub.C())
			switch {
			case s.Phase == conn.Waiting:
				waits[i] = append(waits[i], s)
			case s.Phase == conn.Ready:
				ready = len(waits[i]) > 0 // the first Ready was before the reset
			}
		}
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	var first, attempts []time.Duration
	for i := range clients {
		before := conn.State{}
		for _, wait := range waits[i] {
			require.Empty(t, checkWait(before, wait, defaultBounds), "client %d", i)
			before = wait
		}
		require.Len(t, p.arrivals[i], len(waits[i]), "client %d: an attempt after each wait", i)
		ended := p.resets[i]
		for n, at := range p.arrivals[i] {
			require.GreaterOrEqual(t, at.Sub(ended), waits[i][n].Delay, "client %d: attempt %d", i, n+1)
			ended = at
			attempts = append(attempts, at.Sub(since))
		}
		first = append(first, waits[i][0].Delay)
	}
	low, high := defaultBounds(1)
	t.Logf("the first wait of %d clients:\n%s", herd, histogram(first, low, 50*time.Millisecond))
	t.Logf("all %d attempts, since the server was lost:\n%s", len(attempts), histogram(attempts, 0, 250*time.Millisecond))
	// The waits are distributed evenly: each tenth of the interval has a tenth
	// of the clients, with a tolerance of five standard deviations.
	for tenth, count := range bins(first, low, (high-low)/10) {
		assert.InDelta(t, herd/10, count, 50, "tenth %d", tenth)
	}
}

// defaultBounds are the bounds of the zero reconnect.Policy.
func defaultBounds(attempt int) (low, high time.Duration) {
	return boundsOf(500*time.Millisecond, 5*time.Second, attempt)
}

func receiveClosed(t *testing.T, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(time.Minute):
		require.FailNow(t, "channel was not closed")
	}
}

// bins counts values in steps from low on.
func bins(values []time.Duration, low, width time.Duration) (counts []int) {
	for _, v := range values {
		bin := int((v - low) / width)
		for len(counts) <= bin {
			counts = append(counts, 0)
		}
		counts[bin]++
	}
	return counts
}

func histogram(values []time.Duration, low, width time.Duration) string {
	var b strings.Builder
	for bin, count := range bins(values, low, width) {
		fmt.Fprintf(&b, "%8v %5d %s\n", low+time.Duration(bin)*width, count, strings.Repeat("█", (count+9)/10))
	}
	return b.String()
}
