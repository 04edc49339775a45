package engineio

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// grant answers a websocket handshake with the given parameters of
// permessage-deflate. The client cannot use the connection.
func grant(w http.ResponseWriter, r *http.Request, extension string) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, _ = fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Extensions: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]), extension)
	_, _ = io.Copy(io.Discard, c) // until the client has gone
}

// refuse answers a websocket handshake as npm's engine.io and ws do.
func refuse(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = io.WriteString(w, text)
}

// answersToDeflate are answers to a handshake that offers permessage-deflate.
var answersToDeflate = map[string]http.HandlerFunc{
	"server_no_context_takeover": func(w http.ResponseWriter, r *http.Request) {
		grant(w, r, "permessage-deflate; server_no_context_takeover")
	},
	"no parameter": func(w http.ResponseWriter, r *http.Request) { grant(w, r, "permessage-deflate") },
	"refused": func(w http.ResponseWriter, r *http.Request) {
		refuse(w, "Invalid or unacceptable Sec-WebSocket-Extensions header")
	},
}

func TestDial_dialsAgainWithoutCompression(t *testing.T) {
	for name, answer := range answersToDeflate {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Sec-WebSocket-Extensions") != "" {
					answer(w, r)
					return
				}
				serveEcho(w, r)
			}))
			defer server.Close()
			s := dialTest(t, optionsFor(t, server.URL, WebSocket, Polling))
			assert.Equal(t, "hello", readText(t, s))
			assert.IsType(t, &webSocket{}, s.reading)
			require.NoError(t, s.CloseNow())

			o := optionsFor(t, server.URL, WebSocket)
			o.NoCompression = true
			assert.Equal(t, "hello", readText(t, dialTest(t, o)))
		})
	}
}

func TestUpgrade_dialsAgainWithoutCompression(t *testing.T) {
	for name, answer := range answersToDeflate {
		t.Run(name, func(t *testing.T) {
			refused := make(chan struct{}, 1)
			server := serveUpgrade(t, func(ws *websocket.Conn) {
				expect(t, ws, "2probe")
				send(ws, "3probe")
				expect(t, ws, "5")
				send(ws, "4upgraded")
				_, _, _ = ws.ReadMessage()
			})
			inner := server.Config.Handler
			server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Sec-WebSocket-Extensions") != "" {
					refused <- struct{}{}
					answer(w, r)
					return
				}
				inner.ServeHTTP(w, r)
			})
			s := dialTest(t, optionsFor(t, server.URL, Polling, WebSocket))
			<-refused
			upgraded := make(chan struct{})
			go func() { // ends pending GETs with a noop, as a server does
				for {
					select {
					case server.bodies <- "6":
					case <-upgraded:
						return
					}
				}
			}()
			assert.Equal(t, "upgraded", readText(t, s))
			close(upgraded)
		})
	}
}

// The websocket is closed between its probe and the upgrade packet.
func TestUpgrade_staysOnPollingIfWebSocketFails(t *testing.T) {
	for name, end := range map[string]func(ws *websocket.Conn){
		"cut": func(ws *websocket.Conn) { ws.NetConn().Close() },
		"closed": func(ws *websocket.Conn) {
			_ = ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""))
		},
		"early packet": func(ws *websocket.Conn) { send(ws, "4early") },
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{})
			server := serveUpgrade(t, func(ws *websocket.Conn) {
				expect(t, ws, "2probe")
				send(ws, "3probe")
				end(ws)
				close(ended)
				_, _, _ = ws.ReadMessage()
			})
			s := dialTest(t, optionsFor(t, server.URL, Polling, WebSocket))
			<-ended
			require.Eventually(t, func() bool { c := s.canUpgrade(); return c != nil && c.hasEnded() }, 20*time.Second, time.Millisecond)
			for range 3 {
				server.bodies <- "4still here"
				assert.Equal(t, "still here", readText(t, s))
			}
			require.NoError(t, s.Write(Message{Data: []byte("posted")}))
			assert.Equal(t, "4posted", <-server.posts)
		})
	}
}

// A refused handshake has the same code and text over both transports.
func TestHandshakeError_isAlikeOverBothTransports(t *testing.T) {
	for name, tc := range map[string]struct {
		byPolling func(w http.ResponseWriter)
		text      string // over websocket
		want      HandshakeError
	}{
		"allowRequest": {func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"code":4,"message":"banned"}`)
		}, "banned", HandshakeError{Code: CodeForbidden, Message: "banned"}},
		"forbidden": {func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"code":4,"message":"Forbidden"}`)
		}, "Forbidden", HandshakeError{Code: CodeForbidden, Message: "Forbidden"}},
		"an old server": {func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"code":5,"message":"Unsupported protocol version"}`)
		}, "Unsupported protocol version", HandshakeError{Code: CodeUnsupported, Message: "Unsupported protocol version"}},
		"an unknown session": {func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"code":1,"message":"Session ID unknown"}`)
		}, "Session ID unknown", HandshakeError{Code: 1, Message: "Session ID unknown"}},
	} {
		for transport, answer := range map[string]func(w http.ResponseWriter){
			Polling:   tc.byPolling,
			WebSocket: func(w http.ResponseWriter) { refuse(w, tc.text) },
		} {
			t.Run(name+" by "+transport, func(t *testing.T) {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
				defer server.Close()
				_, err := Dial(t.Context(), optionsFor(t, server.URL, transport))
				var got *HandshakeError
				require.ErrorAs(t, err, &got)
				assert.Equal(t, tc.want.Code, got.Code)
				assert.Equal(t, tc.want.Message, got.Message)
			})
		}
	}
}

func TestHandshakeError_hasTextOfBody(t *testing.T) {
	for body, want := range map[string]string{
		`{"message":"no room"}`:                     "no room",
		`{"error":"no room"}`:                       `{"error":"no room"}`,
		`"no room"`:                                 "no room",
		"no room\nfor you":                          "no room",
		" \r\n no\x00 room":                         "no room",
		"<html><body>502 Bad Gateway</body></html>": "",
		"":                                 "",
		"Invalid Sec-WebSocket-Key header": "Invalid Sec-WebSocket-Key header",
	} {
		for _, transport := range []string{Polling, WebSocket} {
			t.Run(body+" by "+transport, func(t *testing.T) {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "text/plain")
					w.WriteHeader(http.StatusServiceUnavailable)
					_, _ = io.WriteString(w, body)
				}))
				defer server.Close()
				_, err := Dial(t.Context(), optionsFor(t, server.URL, transport))
				var got *HandshakeError
				require.ErrorAs(t, err, &got)
				assert.Equal(t, HandshakeError{StatusCode: http.StatusServiceUnavailable, Code: -1, Message: want}, *got)
			})
		}
	}
}
