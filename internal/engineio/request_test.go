package engineio

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// canUpgrade returns the websocket of an upgrade that has passed its probe.
func (s *Session) canUpgrade() *candidate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.upgraded
}

// Sticky sessions depend on the cookies of the jar, and a gateway on those of
// the header.
func TestDial_sendsCookiesOfHeaderAndJar(t *testing.T) {
	for _, transport := range []string{WebSocket, Polling} {
		t.Run(transport, func(t *testing.T) {
			requests := make(chan *http.Request, 10)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests <- r
				serveBoth(w, r)
			}))
			defer server.Close()
			o := optionsFor(t, server.URL, transport)
			o.Header = http.Header{"Cookie": {"token=t", "tenant=acme"}, "cookie": {"lang=fr"}, "X-Key": {"k"}}
			jar, err := cookiejar.New(nil)
			require.NoError(t, err)
			jar.SetCookies(o.URL, []*http.Cookie{{Name: "node", Value: "b"}})
			o.Jar = jar
			s := dialTest(t, o)
			assert.Equal(t, "hello", readText(t, s))
			for range len(requests) {
				r := <-requests
				assert.Equal(t, "k", r.Header.Get("X-Key"))
				got := map[string]string{}
				for _, cookie := range r.Cookies() {
					got[cookie.Name] = cookie.Value
				}
				assert.Equal(t, map[string]string{"token": "t", "tenant": "acme", "lang": "fr", "node": "b"}, got)
			}
			assert.Equal(t, []string{"token=t", "tenant=acme"}, o.Header["Cookie"], "the header does not change")
		})
	}
}

func TestDial_keepsQueryOfUser(t *testing.T) {
	for _, transport := range []string{WebSocket, Polling} {
		t.Run(transport, func(t *testing.T) {
			requests := make(chan url.Values, 10)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests <- r.URL.Query()
				serveBoth(w, r)
			}))
			defer server.Close()
			o := optionsFor(t, server.URL, transport)
			o.URL.RawQuery = "t=1&_t=2&b64=1&token=a%3Bb%2Bc+d"
			s := dialTest(t, o)
			assert.Equal(t, "hello", readText(t, s))
			stamps := map[string]bool{}
			n := len(requests)
			for range n {
				q := <-requests
				assert.Equal(t, []string{"1"}, q["t"])
				assert.Equal(t, []string{"2"}, q["_t"])
				assert.Equal(t, []string{"1"}, q["b64"])
				assert.Equal(t, []string{"a;b+c d"}, q["token"])
				stamps[q.Get("__t")] = true
			}
			if transport == Polling {
				assert.Len(t, stamps, n, "each request has an address of its own")
			}
		})
	}
}

// With the query parameter b64, npm's engine.io sends binary data in base64
// also over websocket.
func TestRead_decodesBase64OverWebSocket(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		send(ws, openPacket)
		send(ws, "bAQI=")
		send(ws, "b***")
		_, _, _ = ws.ReadMessage()
	}))
	defer server.Close()
	s := dialTest(t, optionsFor(t, server.URL, WebSocket))
	m, err := s.Read()
	require.NoError(t, err)
	assert.Equal(t, Message{Binary: true, Data: []byte{1, 2}}, m)
	_, err = s.Read()
	var protocol *ProtocolError
	assert.ErrorAs(t, err, &protocol)
}
