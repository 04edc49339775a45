package wiretest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// A PollingPeer is the server's end of one session over long-polling.
type PollingPeer struct {
	gets, posts chan *Exchange
	gone        chan struct{} // closed when the test ends
}

// An Exchange is one request that waits for its response.
type Exchange struct {
	Body   string // of the request
	answer chan<- response
}

type response struct {
	status int
	body   string
}

// ServePolling starts a long-polling server and returns its URL. It answers the
// handshake of each session with an open packet, and calls play for the session
// in a goroutine of its own. A request that play does not answer hangs until
// the client cancels it.
func ServePolling(t testing.TB, play func(p *PollingPeer)) string {
	t.Helper()
	var sessions sync.Map
	var count atomic.Int64
	var playing sync.WaitGroup
	gone := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sid := r.URL.Query().Get("sid")
		if sid == "" {
			p := &PollingPeer{make(chan *Exchange), make(chan *Exchange), gone}
			sid = fmt.Sprint("engine-", count.Add(1))
			sessions.Store(sid, p)
			playing.Go(func() { play(p) }) // ends at the latest when gone is closed
			_, _ = fmt.Fprintf(w, `0{"sid":%q,"upgrades":[],"pingInterval":25000,"pingTimeout":20000}`, sid)
			return
		}
		p, ok := sessions.Load(sid)
		if !ok {
			http.NotFound(w, r)
			return
		}
		p.(*PollingPeer).serve(w, r)
	}))
	t.Cleanup(func() {
		close(gone)
		server.Close()
		playing.Wait()
	})
	return server.URL
}

func (p *PollingPeer) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // the client may be gone
	answer := make(chan response, 1)
	requests := p.gets
	if r.Method == http.MethodPost {
		requests = p.posts
	}
	select {
	case requests <- &Exchange{string(body), answer}:
	case <-r.Context().Done():
		return
	case <-p.gone:
		panic(http.ErrAbortHandler)
	}
	select {
	case with := <-answer:
		w.Header().Set("Content-Length", strconv.Itoa(len(with.body)))
		w.WriteHeader(with.status)
		_, _ = io.WriteString(w, with.body)
	case <-r.Context().Done():
	case <-p.gone:
		panic(http.ErrAbortHandler)
	}
}

// Get waits for the client's next GET. It returns nil when the test ends.
func (p *PollingPeer) Get() *Exchange { return p.next(p.gets) }

// Post waits for the client's next POST. It returns nil when the test ends.
func (p *PollingPeer) Post() *Exchange { return p.next(p.posts) }

func (p *PollingPeer) next(requests <-chan *Exchange) *Exchange {
	select {
	case e := <-requests:
		return e
	case <-p.gone:
		return nil
	}
}

// Answer sends the response. A nil Exchange has none.
func (e *Exchange) Answer(status int, body string) {
	if e != nil {
		e.answer <- response{status, body}
	}
}

// Send answers the client's next GET with the packets of body.
func (p *PollingPeer) Send(body string) { p.Get().Answer(http.StatusOK, body) }

// Receive answers the client's next POST, and returns its body. It returns ""
// when the test ends.
func (p *PollingPeer) Receive() string {
	post := p.Post()
	if post == nil {
		return ""
	}
	post.Answer(http.StatusOK, "ok")
	return post.Body
}

// Welcome reads the client's CONNECT and replies to it.
func (p *PollingPeer) Welcome() string {
	connect := p.Receive()
	p.Send(`40{"sid":"socket-1"}`)
	return connect
}
