package conformance

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestClose_closesSocketOfPendingDial(t *testing.T) {
	conform(t, "a cancelled dial leaves no socket", server, nil, func(r *row) {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(r, err)
		defer silent.Close()
		accepted := make(chan net.Conn, 1)
		go func() { // ends with the listener
			if c, err := silent.Accept(); err == nil {
				accepted <- c
			}
		}()
		r.url = "http://" + silent.Addr().String()
		c, ended := r.client("", nil)
		socket := receive(r, accepted)
		defer socket.Close()
		require.NoError(r, c.Close())
		require.NoError(r, receive(r, ended))
		gone := make(chan error, 1)
		// The goroutine ends when either end closes socket.
		go func() { _, err := io.Copy(io.Discard, socket); gone <- err }()
		assert.NoError(r, receive(r, gone))
	})
}

func TestClose_leavesNoGoroutine(t *testing.T) {
	conform(t, "a closed session leaves no goroutine", server, nil, func(r *row) {
		before := runtime.NumGoroutine()
		for range 20 {
			c, ended := r.client("", nil)
			require.NoError(r, c.Ready(r.ctx))
			require.NoError(r, c.Close())
			require.NoError(r, receive(r, ended))
		}
		// Goroutines may need some time to end.
		for r.ctx.Err() == nil && runtime.NumGoroutine() > before+5 {
			runtime.Gosched()
		}
		assert.LessOrEqual(r, runtime.NumGoroutine(), before+5)
	})
}

func TestRefusedError_reportsHTTPStatus(t *testing.T) {
	conform(t, "refused by HTTP status", server, nil, func(r *row) {
		refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no", http.StatusUnauthorized)
		}))
		defer refusing.Close()
		r.url = refusing.URL
		_, ended := r.client("", nil)
		var refused *conn.RefusedError
		require.ErrorAs(r, receive(r, ended), &refused)
		assert.Equal(r, http.StatusUnauthorized, refused.Status)
	})
}
