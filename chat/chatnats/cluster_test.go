package chatnats

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"net/url"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

func init() {
	// A node is one server of a cluster. It prints "ready".
	roles["node"] = func(ctx context.Context, args map[string]string) error {
		port, _ := strconv.Atoi(args["PORT"])
		cluster, _ := strconv.Atoi(args["CLUSTER"])
		options := &server.Options{
			ServerName: args["ID"], Host: "127.0.0.1", Port: port, NoLog: true, NoSigs: true,
			JetStream: true, StoreDir: args["DIR"],
			// Clients use only the given URLs, which may be those of proxies.
			// Nodes use only the given routes: the advertised port is closed.
			Cluster: server.ClusterOpts{Name: "parley", Host: "127.0.0.1", Port: cluster, NoAdvertise: true, Advertise: "127.0.0.1:1"},
		}
		for route := range strings.SplitSeq(args["ROUTES"], ",") {
			at, err := url.Parse(route)
			if err != nil {
				return err
			}
			options.Routes = append(options.Routes, at)
		}
		s, err := server.NewServer(options)
		if err != nil {
			return err
		}
		go s.Start() // ends with the process
		if !s.ReadyForConnections(startTimeout) {
			return errors.New("does not start")
		}
		fmt.Println("ready")
		<-ctx.Done()
		return nil
	}
}

// A cluster is three NATS servers, each a process of its own, with a proxy for
// each route.
type cluster struct {
	t      testing.TB
	URL    string // of all of them
	args   [3]map[string]string
	nodes  [3]*child
	routes [3][3]*proxy // by the node that connects, and the other one
}

func newCluster(t testing.TB) *cluster {
	c := &cluster{t: t}
	var clients []string
	var ports [6]int
	for i := range ports {
		ports[i] = freePort(t)
	}
	for i := range c.nodes {
		clients = append(clients, fmt.Sprintf("nats://127.0.0.1:%d", ports[i]))
		var routes []string
		for j := range c.nodes {
			if i != j {
				c.routes[i][j] = newProxy(t, fmt.Sprintf("nats://127.0.0.1:%d", ports[3+j]))
				routes = append(routes, c.routes[i][j].URL)
			}
		}
		c.args[i] = map[string]string{
			"ID": fmt.Sprintf("n%d", i), "DIR": t.TempDir(), "PORT": strconv.Itoa(ports[i]),
			"CLUSTER": strconv.Itoa(ports[3+i]), "ROUTES": strings.Join(routes, ","),
		}
	}
	c.URL = strings.Join(clients, ",")
	for i := range c.nodes {
		c.start(i)
	}
	return c
}

// routesOf returns the proxies of a node's routes, in both directions.
func (c *cluster) routesOf(i int) (all []*proxy) {
	for j := range c.nodes {
		if i != j {
			all = append(all, c.routes[i][j], c.routes[j][i])
		}
	}
	return all
}

func (c *cluster) start(i int) {
	c.nodes[i] = newChild(c.t, "node", c.args[i])
	require.Equal(c.t, "ready", wiretest.ReceiveFrom(c.t, c.nodes[i].lines))
}

// open waits until the cluster has elected its leaders.
func (c *cluster) open(cfg Config) *Bus {
	conn, err := dial(c.URL)
	require.NoError(c.t, err)
	c.t.Cleanup(conn.Close)
	var b *Bus
	require.Eventually(c.t, func() (ok bool) {
		ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
		defer cancel()
		var err error
		b, err = Open(ctx, conn, cfg)
		return err == nil
	}, patience, 100*time.Millisecond)
	return b
}

// leader returns the node that leads the stream.
func (c *cluster) leader(b *Bus) int {
	n := -1
	require.Eventually(c.t, func() bool {
		ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
		defer cancel()
		info, err := b.stream.Info(ctx)
		if err != nil {
			return false
		}
		n, err = strconv.Atoi(strings.TrimPrefix(info.Cluster.Leader, "n"))
		return err == nil
	}, patience, 10*time.Millisecond)
	return n
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// dial connects like a child.
func dial(url string) (*nats.Conn, error) {
	return nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond),
		nats.RetryOnFailedConnect(true), nats.PingInterval(2*time.Second))
}

// openUntil tries to open a bus until it succeeds.
func openUntil(ctx context.Context, url string) (*Bus, error) {
	conn, err := dial(url)
	if err != nil {
		return nil, err
	}
	for {
		opening, cancel := context.WithTimeout(ctx, 5*time.Second)
		b, err := Open(opening, conn, Config{})
		cancel()
		if err == nil || ctx.Err() != nil {
			return b, err
		}
		fmt.Fprintln(os.Stderr, "chatnats: not open yet:", err)
	}
}
