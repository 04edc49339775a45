package engineio

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGrow_boundsAnnouncedLengthByArrivedData(t *testing.T) {
	for name, c := range map[string]struct {
		arrived      int
		announced    int64
		atLeast, max int
	}{
		"unknown length":              {512, 0, 513, 1024},
		"negative length":             {512, -1, 513, 1024},
		"nothing arrived":             {0, 1 << 30, 1, 64 << 10},
		"short frame":                 {512, 1000, 1513, 2048},
		"long frame, little arrived":  {512, 10 << 20, 40 << 10, 64 << 10},
		"long frame, some arrived":    {64 << 10, 10 << 20, 640 << 10, 1 << 20},
		"long frame, enough arrived":  {1 << 20, 10 << 20, 11<<20 + 1, 11<<20 + 64<<10},
		"1 GiB announced, 1 MiB came": {1 << 20, 1 << 30, 2 << 20, 16<<20 + 64<<10},
	} {
		t.Run(name, func(t *testing.T) {
			got := grow(make([]byte, c.arrived), c.announced)
			assert.Len(t, got, c.arrived)
			assert.GreaterOrEqual(t, cap(got), c.atLeast)
			assert.LessOrEqual(t, cap(got), c.max)
		})
	}
}

// The field is not part of the API of the websocket library.
func TestWebSocket_findsLengthOfFrame(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		_ = ws.WriteMessage(websocket.TextMessage, make([]byte, 5000))
		_, _, _ = ws.ReadMessage()
	}))
	defer server.Close()
	ws, _, err := websocket.DefaultDialer.Dial("ws"+server.URL[len("http"):], nil)
	require.NoError(t, err)
	defer ws.Close()
	_, r, err := ws.NextReader()
	require.NoError(t, err)
	w := &webSocket{ws: ws}
	assert.Equal(t, int64(5000), w.frameLeft())
	n, err := r.Read(make([]byte, 1000))
	require.NoError(t, err)
	assert.Equal(t, int64(5000-n), w.frameLeft())
}
