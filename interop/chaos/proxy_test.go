package chaos

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serveTCP starts a server that calls play for each connection. It runs until
// the test ends.
func serveTCP(t *testing.T, play func(c *net.TCPConn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() { // ends with the listener
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { // ends with play
				defer c.Close()
				play(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
	})
	return listener.Addr().String()
}

func echo(c *net.TCPConn) { _, _ = io.Copy(c, c) }

// dialThrough connects to a server through a proxy with the faults of plan.
func dialThrough(t *testing.T, server string, plan FaultPlan) (*Proxy, *net.TCPConn) {
	t.Helper()
	p, err := Listen(server, func(int) FaultPlan { return plan })
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p, dialProxy(t, p)
}

func dialProxy(t *testing.T, p *Proxy) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(p.URL(), "http://"))
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

func TestProxy_passesAllBytesWhenSlowedDown(t *testing.T) {
	sent := bytes.Repeat([]byte("0123456789"), 200)
	for name, plan := range map[string]FaultPlan{
		"whole":     {},
		"pieces":    {Chunk: 3},
		"delayed":   {Delay: 5 * time.Millisecond},
		"throttled": {Rate: 100_000},
		"stalled":   {Breaks: []Break{{After: 100, Kind: Stall, Hold: 50 * time.Millisecond}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := dialThrough(t, serveTCP(t, echo), plan)
			_, err := c.Write(sent)
			require.NoError(t, err)
			require.NoError(t, c.CloseWrite())
			got, err := io.ReadAll(c)
			require.NoError(t, err)
			assert.Equal(t, sent, got)
		})
	}
}

func TestProxy_resetsBothEnds(t *testing.T) {
	server := make(chan error, 1)
	p, c := dialThrough(t, serveTCP(t, func(c *net.TCPConn) {
		_, err := io.Copy(io.Discard, c)
		server <- err
	}), FaultPlan{Breaks: []Break{{After: 5, Kind: Reset}}})
	_, err := c.Write([]byte("0123456789"))
	require.NoError(t, err)
	_, err = c.Read(make([]byte, 1))
	assert.ErrorIs(t, err, syscall.ECONNRESET)
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, server), syscall.ECONNRESET)
	p.AwaitBroken(wiretest.Context(t), 1)
	assert.Equal(t, 1, p.Broken())
}

func TestProxy_resetsOneEndAndKeepsOtherOpen(t *testing.T) {
	for kind, clientSees := range map[Kind]bool{ResetClient: true, ResetServer: false} {
		t.Run(kind.String(), func(t *testing.T) {
			server := make(chan error, 1)
			p, c := dialThrough(t, serveTCP(t, func(c *net.TCPConn) {
				_, err := io.Copy(io.Discard, c)
				server <- err
			}), FaultPlan{Breaks: []Break{{After: 5, Kind: kind, Hold: time.Hour}}})
			_, err := c.Write([]byte("01234"))
			require.NoError(t, err)
			client := make(chan error, 1)
			var reading sync.WaitGroup
			reading.Go(func() { // ends with the proxy
				_, err := c.Read(make([]byte, 1))
				client <- err
			})
			first, second := server, client
			if clientSees {
				first, second = client, server
			}
			assert.ErrorIs(t, wiretest.ReceiveFrom(t, first), syscall.ECONNRESET)
			assert.Empty(t, second, "the other end has received nothing")
			p.Close() // before the end of Hold
			assert.Error(t, wiretest.ReceiveFrom(t, second))
			reading.Wait()
		})
	}
}

func TestProxy_closesOneDirectionOnly(t *testing.T) {
	ended := make(chan string, 1)
	server := serveTCP(t, func(c *net.TCPConn) {
		all, _ := io.ReadAll(c)
		ended <- string(all)
		_, _ = io.WriteString(c, "still here")
	})
	_, c := dialThrough(t, server, FaultPlan{Breaks: []Break{{After: 5, Kind: CloseUp, Hold: time.Hour}}})
	_, err := c.Write([]byte("0123456789"))
	require.NoError(t, err)
	assert.Equal(t, "01234", wiretest.ReceiveFrom(t, ended))
	reply := make([]byte, 10)
	_, err = io.ReadFull(c, reply)
	require.NoError(t, err)
	assert.Equal(t, "still here", string(reply))

	received := make(chan string, 1)
	_, c = dialThrough(t, serveTCP(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "hello")
		all, _ := io.ReadAll(c)
		received <- string(all)
	}), FaultPlan{Breaks: []Break{{After: 5, Kind: CloseDown, Hold: time.Hour}}})
	all, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(all))
	_, err = c.Write([]byte("and you?"))
	require.NoError(t, err)
	require.NoError(t, c.CloseWrite())
	assert.Equal(t, "and you?", wiretest.ReceiveFrom(t, received))
}

func TestProxy_resetsRefusedConnection(t *testing.T) {
	p, err := Listen(serveTCP(t, echo), func(int) FaultPlan { return FaultPlan{Refuse: true} })
	require.NoError(t, err)
	defer p.Close()
	c, err := net.Dial("tcp", strings.TrimPrefix(p.URL(), "http://"))
	if err == nil { // the reset may come before
		_, err = c.Read(make([]byte, 1))
		c.Close()
	}
	assert.ErrorIs(t, err, syscall.ECONNRESET)
	p.AwaitBroken(wiretest.Context(t), 1)
	p.Heal()
	c = dialProxy(t, p)
	_, err = c.Write([]byte("x"))
	require.NoError(t, err)
	_, err = io.ReadFull(c, make([]byte, 1))
	assert.NoError(t, err, "without faults no connection is refused")
	assert.Equal(t, 2, p.Connections())
	assert.Equal(t, 1, p.Broken())
}

func TestSetTarget_redirectsNewConnections(t *testing.T) {
	say := func(word string) string {
		return serveTCP(t, func(c *net.TCPConn) { _, _ = io.WriteString(c, word) })
	}
	p, c := dialThrough(t, say("one"), FaultPlan{})
	first, err := io.ReadAll(c)
	require.NoError(t, err)
	p.SetTarget(say("two"))
	second, err := io.ReadAll(dialProxy(t, p))
	require.NoError(t, err)
	assert.Equal(t, "one two", string(first)+" "+string(second))
}

func TestPlan_drawsSameFaultsForSameSeed(t *testing.T) {
	draw := func(plan Plan) (drawn []string) {
		for n := range 200 {
			drawn = append(drawn, plan.Faults(n).String())
		}
		return drawn
	}
	first := draw(Plan{Seed: 7})
	assert.Equal(t, first, draw(Plan{Seed: 7}))
	assert.NotEqual(t, first, draw(Plan{Seed: 8}))
	assert.NotEqual(t, first, draw(Plan{Seed: 7, Client: 1}))
	all := strings.Join(first, "\n")
	for _, want := range append([]string{"refused", "delay", "pieces", "B/s"}, kindNames[:]...) {
		assert.Contains(t, all, want)
	}
}
