package interop

import (
	"context"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A balancer forwards each request to the node in its cookie. A request without
// the cookie, or with that of a node that is down, goes to the next node and
// sets the cookie.
type balancer struct {
	nodes []http.Handler

	mu       sync.Mutex
	last     int
	down     []bool
	sessions map[string]map[int]bool // the nodes by Engine.IO session
}

// newBalancer returns a balancer before two servers.
func newBalancer(t *testing.T) (*balancer, []*backend) {
	t.Helper()
	b := &balancer{down: make([]bool, 2), sessions: map[string]map[int]bool{}}
	servers := []*backend{startBackend(t), startBackend(t)}
	for i, server := range servers {
		proxy := proxyTo(t, server.URL())
		proxy.ErrorHandler = func(w http.ResponseWriter, r *http.Request, _ error) {
			if r.Context().Err() == nil { // the client has not gone
				b.mu.Lock()
				b.down[i] = true
				b.mu.Unlock()
			}
			w.WriteHeader(http.StatusBadGateway)
		}
		b.nodes = append(b.nodes, proxy)
	}
	return b, servers
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	node := b.choose(r)
	http.SetCookie(w, &http.Cookie{Name: "node", Value: strconv.Itoa(node)})
	b.nodes[node].ServeHTTP(w, r)
}

func (b *balancer) choose(r *http.Request) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	node := -1
	if cookie, err := r.Cookie("node"); err == nil {
		node, _ = strconv.Atoi(cookie.Value)
	}
	if node < 0 || b.down[node] {
		b.last = (b.last + 1) % len(b.nodes)
		if b.down[b.last] {
			b.last = (b.last + 1) % len(b.nodes)
		}
		node = b.last
	}
	if sid := r.URL.Query().Get("sid"); sid != "" {
		if b.sessions[sid] == nil {
			b.sessions[sid] = map[int]bool{}
		}
		b.sessions[sid][node] = true
	}
	return node
}

// nodesOf returns the nodes that each session has reached.
func (b *balancer) nodesOf() map[string][]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	nodes := map[string][]int{}
	for sid, reached := range b.sessions {
		nodes[sid] = slices.Sorted(maps.Keys(reached))
	}
	return nodes
}

// All requests of a session reach one node. After the end of that node the
// client connects to the other one.
func TestBalancer_keepsSessionOnNodeOfCookie(t *testing.T) {
	t.Parallel()
	for name, way := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, servers := newBalancer(t)
			jar, err := cookiejar.New(nil)
			require.NoError(t, err)
			client, _ := startClient(t, serve(t, b), chat.Config{
				Conn: conn.Config{Transports: way, Jar: jar},
			})
			requireAnswer(t, client, 50)
			before := client.State().SessionID
			node := 1 // the first request has no cookie
			sessions := 0
			if name != "websocket" { // its only request has no sid
				sessions = 1
			}
			first := b.nodesOf()
			assert.Len(t, first, sessions)
			for sid, nodes := range first {
				assert.Equal(t, []int{node}, nodes, sid)
			}

			ctx, cancel := context.WithCancel(wiretest.Context(t))
			defer cancel()
			interrupted, err := client.Ask(ctx, chat.Question{UserID: user, Text: "/tokens 100000 1"})
			require.NoError(t, err)
			for range interrupted.Tokens() {
				break
			}
			states := client.States.Chan(t.Context())
			servers[node].Kill()
			wiretest.ReceivePhase(t, states, conn.Waiting)
			wiretest.ReceivePhase(t, states, conn.Ready)
			cancel() // the other node does not have the answer
			_, err = interrupted.Wait()
			require.ErrorIs(t, err, context.Canceled)

			assert.NotEqual(t, before, client.State().SessionID)
			requireAnswer(t, client, 50)
			for sid, nodes := range b.nodesOf() {
				if first[sid] == nil { // the first node is down
					assert.Equal(t, []int{1 - node}, nodes, sid)
				}
			}
		})
	}
}

// Without a jar the requests of a session alternate between the nodes, so that
// polling cannot work. The error has the text of the server.
func TestBalancer_needsJarForPolling(t *testing.T) {
	t.Parallel()
	b, _ := newBalancer(t)
	client, _ := startClient(t, serve(t, b), chat.Config{Conn: conn.Config{Transports: []string{conn.Polling}}})
	cause := wiretest.ReceivePhase(t, client.States.Chan(t.Context()), conn.Waiting).Err
	var lost *conn.TransportError
	require.ErrorAs(t, cause, &lost)
	assert.ErrorContains(t, cause, "unexpected HTTP status 400: Session ID unknown")
}
