package engineio

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// A memoryTransport is a transport whose other end is a test.
type memoryTransport struct {
	in     chan packet
	out    chan packet
	closed chan struct{}
}

func (m *memoryTransport) read() (packet, error) {
	select {
	case p := <-m.in:
		return p, nil
	case <-m.closed:
		return packet{}, net.ErrClosed
	}
}

func (m *memoryTransport) write(packets []packet) error {
	for _, p := range packets {
		m.out <- p
	}
	return nil
}

func (m *memoryTransport) readUntil(time.Time)       {}
func (m *memoryTransport) close(time.Duration) error { return nil }
func (m *memoryTransport) sizeOf(p packet) int       { return len(p.data) }
func (m *memoryTransport) closeNow()                 { close(m.closed) }

// The reader is blocked from some time on, and each ping is late. Whichever
// comes first, the server gets each pong in time.
func TestSession_sendsPongWheneverReaderBecomesBusy(t *testing.T) {
	const interval, timeout = time.Second, time.Second
	for blocked := time.Duration(0); blocked < 4*time.Second; blocked += 90 * time.Millisecond {
		for _, late := range []time.Duration{0, 300 * time.Millisecond, 700 * time.Millisecond} {
			t.Run(fmt.Sprintf("blocked at %v, pings %v late", blocked, late), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := &memoryTransport{make(chan packet, 100), make(chan packet, 100), make(chan struct{})}
					ctx, cancel := context.WithCancel(t.Context())
					s := &Session{
						handshake: handshake{pingInterval: interval, pingTimeout: timeout},
						ctx:       ctx, cancel: cancel, reading: m, transport: m,
					}
					s.expectPing(interval + timeout/2)
					release := make(chan struct{})
					go func() { // ends with CloseNow
						for {
							if _, err := s.Read(); err != nil {
								return
							}
							<-release
						}
					}()
					time.AfterFunc(blocked, func() { m.in <- packet{kind: message} })

					for range 6 { // pings; a pong before its ping delays that
						select {
						case <-m.out:
							continue
						case <-time.After(interval + late):
						}
						m.in <- packet{kind: ping}
						select {
						case p := <-m.out:
							assert.Equal(t, pong, p.kind)
						case <-time.After(timeout):
							assert.Fail(t, "no pong")
						}
					}
					close(release)
					_ = s.CloseNow()
				})
			})
		}
	}
}
