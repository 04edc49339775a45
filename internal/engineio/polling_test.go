package engineio

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPolling_readsAndWritesMessages(t *testing.T) {
	server := servePolls(t, openPacket+"\x1e4with the open packet")
	requests := make(chan *http.Request, 100)
	server.check = func(r *http.Request) { requests <- r }
	s := dialTest(t, optionsFor(t, server.URL, Polling))

	assert.Equal(t, "with the open packet", readText(t, s))
	server.bodies <- "4one\x1ebAQI=\x1e6\x1e2"
	server.bodies <- "4two"
	assert.Equal(t, "one", readText(t, s))
	m, err := s.Read()
	require.NoError(t, err)
	assert.Equal(t, Message{true, []byte{1, 2}}, m)
	assert.Equal(t, "two", readText(t, s))
	assert.Equal(t, "3", <-server.posts, "the reply to the ping")

	require.NoError(t, s.Write(Message{Data: []byte("a")}, Message{Binary: true, Data: []byte{1}}))
	assert.Equal(t, "4a\x1ebAQ==", <-server.posts)
	long := strings.Repeat("x", 900)
	require.NoError(t, s.Write(Message{Data: []byte("a")}, Message{Data: []byte(long)}, Message{Data: []byte(long)}))
	assert.Equal(t, "4a\x1e4"+long, <-server.posts)
	assert.Equal(t, "4"+long, <-server.posts, "a message beyond maxPayload has a POST of its own")

	require.NoError(t, s.Close(time.Second))
	assert.Equal(t, "1", <-server.posts)
	require.NoError(t, s.CloseNow())
	seen := map[string]bool{}
	for range len(requests) {
		r := <-requests
		query := r.URL.Query()
		assert.Equal(t, "acme", query.Get("tenant"))
		assert.Equal(t, "4", query.Get("EIO"))
		assert.Equal(t, "polling", query.Get("transport"))
		assert.Equal(t, "k", r.Header.Get("X-Key"))
		assert.False(t, seen[query.Get("t")], "each URL is unique, so no cache responds")
		seen[query.Get("t")] = true
	}
}

func TestPolling_reportsCauseWhenSessionEnds(t *testing.T) {
	short := `0{"sid":"s1","pingInterval":20,"pingTimeout":30}`
	var protocol *ProtocolError
	for name, tc := range map[string]struct {
		open, body string
		is         error
		as         any
	}{
		"with the server's close packet": {openPacket, "1", ErrClosed, nil},
		"without a ping":                 {short, "", ErrPingTimeout, nil},
		"with an unknown packet type":    {openPacket, "9", nil, &protocol},
		"with a second open packet":      {openPacket, openPacket, nil, &protocol},
		"with a packet that is too long": {openPacket, "4" + strings.Repeat("x", 2<<20), nil, &protocol},
		"with an error of the server":    {openPacket, "status", &HandshakeError{400, 1, "Session ID unknown"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			server := servePolls(t, tc.open)
			inner := server.Config.Handler
			server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tc.body == "status" && r.URL.Query().Get("sid") != "" {
					w.WriteHeader(http.StatusBadRequest)
					_, _ = io.WriteString(w, `{"code":1,"message":"Session ID unknown"}`)
					return
				}
				inner.ServeHTTP(w, r)
			})
			s := dialTest(t, optionsFor(t, server.URL, Polling))
			if tc.body != "" {
				server.bodies <- tc.body
			}
			_, err := s.Read()
			switch want := tc.is.(type) {
			case nil:
				assert.ErrorAs(t, err, tc.as)
			case *HandshakeError:
				assert.Equal(t, want, err)
				assert.EqualError(t, err, "unexpected HTTP status 400: Session ID unknown")
			default:
				assert.ErrorIs(t, err, want)
			}
		})
	}
}

// stream responds to each GET of the session with the output of write, until
// write fails.
func stream(t *testing.T, open string, write func(w io.Writer) error) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.Copy(io.Discard, r.Body)
			return
		}
		if r.URL.Query().Get("sid") == "" && open != "" {
			_, _ = io.WriteString(w, open)
			return
		}
		for write(w) == nil {
			w.(http.Flusher).Flush()
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestPolling_streamsEndlessBody(t *testing.T) {
	n := 0
	s := dialTest(t, optionsFor(t, stream(t, openPacket, func(w io.Writer) error {
		n++
		_, err := fmt.Fprintf(w, "4%d\x1e", n)
		return err
	}), Polling))
	for want := range 10_000 {
		require.Equal(t, fmt.Sprint(want+1), readText(t, s))
	}
	assert.LessOrEqual(t, cap(s.reading.(*polling).payload.buf), keptBuffer)
}

func TestPolling_rejectsOversizedPacket(t *testing.T) {
	chunk := strings.Repeat("x", 64<<10)
	endless := func(w io.Writer) error { _, err := io.WriteString(w, chunk); return err }
	s := dialTest(t, optionsFor(t, stream(t, openPacket, func(w io.Writer) error { _, err := io.WriteString(w, "4"); _ = endless(w); return err }), Polling))
	_, err := s.Read()
	assert.EqualError(t, err, "engine.io: message exceeds 1048576 bytes")

	_, err = Dial(t.Context(), optionsFor(t, stream(t, "", endless), Polling))
	var protocol *ProtocolError
	assert.ErrorAs(t, err, &protocol)
}

func TestPolling_timesOutOnSlowBody(t *testing.T) {
	s := dialTest(t, optionsFor(t, stream(t, `0{"sid":"s1","pingInterval":20,"pingTimeout":30}`, func(w io.Writer) error {
		<-time.After(time.Millisecond)
		_, err := io.WriteString(w, "4")
		return err
	}), Polling))
	_, err := s.Read()
	assert.ErrorIs(t, err, ErrPingTimeout)
}

func TestPolling_failsOnTruncatedBody(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("sid") == "" {
			_, _ = io.WriteString(w, openPacket)
			return
		}
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "4whole\x1e4hal")
	}))
	defer server.Close()
	s := dialTest(t, optionsFor(t, server.URL, Polling))
	assert.Equal(t, "whole", readText(t, s))
	_, err := s.Read()
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// The packets in a lost response are lost. A retried poll would hide that.
func TestPolling_doesNotRetryLostPoll(t *testing.T) {
	polls := make(chan struct{}, 10)
	s := servePolls(t, openPacket)
	s.check = func(r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Query().Get("sid") != "" {
			polls <- struct{}{}
			// The second poll uses the connection of the first. net/http
			// retries a request that fails on such a connection, if it can.
			if len(polls) == 2 {
				panic(http.ErrAbortHandler)
			}
		}
	}
	s.bodies <- "4first"
	s.bodies <- "4third, after a lost second"
	session := dialTest(t, optionsFor(t, s.URL, "polling"))
	assert.Equal(t, "first", readText(t, session))
	_, err := session.Read()
	require.Error(t, err)
	assert.Len(t, polls, 2)
}

func TestHandshakeError_reportsStatusCodeAndMessage(t *testing.T) {
	for name, tc := range map[string]struct {
		respond http.HandlerFunc
		want    HandshakeError
	}{
		"a redirect loop": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) },
			HandshakeError{302, -1, ""}},
		"a page of HTML": {func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "<html>bad gateway", http.StatusBadGateway)
		},
			HandshakeError{502, -1, ""}},
		"an endless error": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 1000)); err != nil {
					return
				}
			}
		}, HandshakeError{502, -1, strings.Repeat("x", 200) + "…"}},
		"the server's own error": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"code":4,"message":"origin not allowed\nmore"}`)
		}, HandshakeError{403, 4, "origin not allowed"}},
		"revision 3": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `85:0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":5000}2:40`)
		},
			HandshakeError{200, CodeUnsupported, "payload of Engine.IO revision 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				tc.respond(w, r)
			}))
			defer server.Close()
			_, err := Dial(t.Context(), optionsFor(t, server.URL, Polling))
			var refused *HandshakeError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, tc.want, *refused)
			assert.Equal(t, 1, requests)
			assert.NotContains(t, err.Error(), "acme", "the query may contain a secret")
		})
	}
}

func TestDial_omitsQueryFromErrors(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, _ := w.(http.Hijacker).Hijack()
		c.Close()
	}))
	defer server.Close()
	for _, transport := range []string{Polling, WebSocket} {
		_, err := Dial(t.Context(), optionsFor(t, server.URL, transport))
		require.Error(t, err, transport)
		assert.NotContains(t, err.Error(), "acme", transport)
	}
}

func TestWriteTimeout_failsSlowPost(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("sid") == "" {
			_, _ = io.WriteString(w, openPacket)
			return
		}
		<-release
	}))
	defer server.Close()
	defer close(release)
	o := optionsFor(t, server.URL, Polling)
	o.WriteTimeout = 20 * time.Millisecond
	s := dialTest(t, o)
	assert.ErrorContains(t, s.Write(Message{Data: []byte("x")}), "POST timed out")
}

func TestJar_keepsCookies(t *testing.T) {
	server := servePolls(t, openPacket)
	cookies := make(chan string, 10)
	inner := server.Config.Handler
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookies <- r.Header.Get("Cookie")
		http.SetCookie(w, &http.Cookie{Name: "node", Value: "7"})
		inner.ServeHTTP(w, r)
	})
	o := optionsFor(t, server.URL, Polling)
	var err error
	o.Jar, err = cookiejar.New(nil)
	require.NoError(t, err)
	s := dialTest(t, o)
	require.NoError(t, s.Write(Message{Data: []byte("x")}))
	assert.Empty(t, <-cookies)
	assert.Equal(t, "node=7", <-cookies)
}

func TestCloseNow_endsPendingRead(t *testing.T) {
	server := servePolls(t, openPacket)
	s := dialTest(t, optionsFor(t, server.URL, Polling))
	ended := make(chan error, 1)
	go func() { _, err := s.Read(); ended <- err }()
	require.NoError(t, s.CloseNow())
	assert.Error(t, <-ended)
	assert.Error(t, s.Write(Message{Data: []byte("x")}))
	require.NoError(t, s.CloseNow(), "again")
}
