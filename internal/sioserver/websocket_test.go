package sioserver_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/internal/sioserver"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWebSocket_closesConnectionOnInvalidFrame(t *testing.T) {
	for _, frame := range []string{"abc", "", "2", "4" + strings.Repeat("x", 1_000_001), "1"} {
		r := serve(t, sioserver.Config{})
		w := r.open()
		w.write(frame)
		w.closed()
	}
}

func TestWebSocket_limitsCompressedMessages(t *testing.T) {
	r := serve(t, sioserver.Config{Compress: true, MaxPayload: 10_000})
	r.dialer.EnableCompression = true
	w := r.connect()
	w.write("4" + strings.Repeat("x", 100_000))
	_, _, err := w.ReadMessage()
	assert.True(t, websocket.IsCloseError(err, websocket.CloseMessageTooBig), "%v", err)
}

func TestCompress_negotiatesPermessageDeflate(t *testing.T) {
	for _, compress := range []bool{false, true} {
		r := serve(t, sioserver.Config{Compress: compress})
		r.dialer.EnableCompression = true
		ws, response, err := r.dialer.Dial("ws"+r.url[4:]+"?EIO=4&transport=websocket", nil)
		require.NoError(t, err)
		defer ws.Close()
		assert.Equal(t, compress, strings.Contains(response.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate"))
	}
}

func TestUpgrade_movesSessionToWebSocket(t *testing.T) {
	inBubble(t, sioserver.Config{}, func(r *rig) {
		query := r.connectPolling()
		get := r.background("GET", query, "")
		synctest.Wait()
		w := r.dial(strings.Replace(query, "polling", "websocket", 1))
		w.write("2probe")
		assert.Equal(r, "3probe", w.read())
		assert.Equal(r, answered{http.StatusOK, "6"}, <-get, "so that the client can stop polling")
		start := time.Now()
		status, body := r.request("GET", query, "")
		assert.Equal(r, answered{http.StatusOK, "6"}, answered{status, body}, "a poll beside the upgrade")
		assert.Equal(r, 100*time.Millisecond, time.Since(start), "not as fast as the client can ask")

		get = r.background("GET", query, "")
		synctest.Wait()
		w.write("5")
		assert.Equal(r, answered{http.StatusOK, "6"}, <-get)
		w.write(`42["message","hello"]`)
		assert.Equal(r, `42["message-back","hello"]`, w.read())
	})
}

func TestUpgrade_deliversQueuedPackets(t *testing.T) {
	r := serve(t, sioserver.Config{})
	query := r.connectPolling()
	w := r.dial(strings.Replace(query, "polling", "websocket", 1))
	w.write("2probe")
	assert.Equal(t, "3probe", w.read())
	r.request("POST", query, `42["message",1]`)
	w.write("5", `42["message",2]`)
	assert.Equal(t, `42["message-back",1]`, w.read())
	assert.Equal(t, `42["message-back",2]`, w.read())
}

func TestUpgrade_rejectsRequestsOfUpgradedSession(t *testing.T) {
	r := serve(t, sioserver.Config{})
	query := r.connectPolling()
	upgraded := strings.Replace(query, "polling", "websocket", 1)
	w := r.dial(upgraded)
	w.write("2probe")
	assert.Equal(t, "3probe", w.read())
	assert.Equal(t, http.StatusBadRequest, r.rejected("EIO=4&"+upgraded), "a second websocket beside the probe")
	w.write("5", `42["message",1]`)
	assert.Equal(t, `42["message-back",1]`, w.read())

	status, _ := r.request("GET", query, "")
	assert.Equal(t, http.StatusBadRequest, status)
	status, _ = r.request("POST", query, `42["message",2]`)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, http.StatusBadRequest, r.rejected("EIO=4&"+upgraded))
	w.write(`42["message",3]`)
	assert.Equal(t, `42["message-back",3]`, w.read(), "the session continues")
}

func TestUpgrade_rejectsWebSocketSessions(t *testing.T) {
	r := serve(t, sioserver.Config{})
	w := r.dial("transport=websocket")
	sid := opened(t, w.read()).SID
	assert.Equal(t, http.StatusBadRequest, r.rejected("EIO=4&transport=websocket&sid="+sid))
	status, _ := r.request("GET", "transport=polling&sid="+sid, "")
	assert.Equal(t, http.StatusBadRequest, status)
}

func TestUpgrade_keepsPollingWithoutProbe(t *testing.T) {
	for name, frames := range map[string][]string{
		"another packet":          {"4hello"},
		"another ping":            {"2"},
		"no upgrade after probe":  {"2probe", "2probe"},
		"nothing within the time": nil,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, sioserver.Config{UpgradeTimeout: time.Second}, func(r *rig) {
				query := r.connectPolling()
				w := r.dial(strings.Replace(query, "polling", "websocket", 1))
				for i, frame := range frames {
					w.write(frame)
					if i+1 < len(frames) {
						assert.Equal(r, "3probe", w.read())
					}
				}
				w.closed()
				status, _ := r.request("POST", query, `42["message",1]`)
				assert.Equal(r, http.StatusOK, status)
				status, body := r.request("GET", query, "")
				assert.Equal(r, answered{http.StatusOK, `42["message-back",1]`}, answered{status, body})
			})
		})
	}
}

func TestClose_sendsReason(t *testing.T) {
	r := serve(t, sioserver.Config{})
	reasons := make(chan sioserver.Reason, 1)
	r.server.Namespace("/", sioserver.Handlers{
		Event: func(e *sioserver.Event) {
			_ = e.Socket.Emit("last")
			e.Socket.Close(websocket.ClosePolicyViolation, "too loud")
			assert.ErrorIs(t, e.Socket.Emit("too late"), sioserver.ErrGone)
		},
		Disconnect: func(_ *sioserver.Socket, reason sioserver.Reason) { reasons <- reason },
	})
	w := r.open()
	w.write("40")
	w.read()
	w.write(`42["shout"]`)
	assert.Equal(t, `42["last"]`, w.read())
	_, _, err := w.ReadMessage()
	assert.Equal(t, &websocket.CloseError{Code: websocket.ClosePolicyViolation, Text: "too loud"}, err)
	assert.Equal(t, sioserver.ReasonServerClose, <-reasons)
}

func TestClose_sendsClosePacketOverPolling(t *testing.T) {
	inBubble(t, sioserver.Config{}, func(r *rig) {
		r.server.Namespace("/", sioserver.Handlers{Connect: func(s *sioserver.Socket) { s.Close(websocket.CloseNormalClosure, "") }})
		query := r.poll()
		get := r.background("GET", query, "")
		synctest.Wait()
		r.request("POST", query, "40")
		got := <-get
		if !strings.HasSuffix(got.body, "1") {
			_, got.body = r.request("GET", query, "")
		}
		assert.True(r, strings.HasSuffix(got.body, "1"), got.body)
		status, _ := r.request("GET", query, "")
		assert.Equal(r, http.StatusBadRequest, status)
	})
}

func TestCloseNow_sendsQueueFirst(t *testing.T) {
	inBubble(t, sioserver.Config{}, func(r *rig) {
		r.server.Namespace("/", sioserver.Handlers{Event: func(e *sioserver.Event) {
			for n := range 100 {
				_ = e.Socket.Emit("n", n)
			}
			e.Socket.CloseNow()
		}})
		w := r.open()
		w.write("40")
		w.read()
		w.write(`42["go"]`)
		for range 100 {
			assert.Contains(r, w.read(), `42["n",`)
		}
		_, _, err := w.ReadMessage()
		assert.True(r, websocket.IsCloseError(err, websocket.CloseAbnormalClosure), "no close frame: %v", err)

		query := r.poll()
		r.request("POST", query, "40")
		_, _ = r.request("GET", query, "")
		get := r.background("GET", query, "")
		synctest.Wait()
		r.request("POST", query, `42["go"]`)
		assert.Contains(r, (<-get).body, `42["n",0]`)
	})
}
