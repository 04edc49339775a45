package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRows_completeInOrder(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		play(ws)
	}))
	defer server.Close()
	for _, r := range rows(640, "no such directory") {
		for _, c := range r.contenders {
			t.Run(r.name+", "+c.name, func(t *testing.T) {
				got, err := c.run(t.Context(), server.URL, r.events)
				require.NoError(t, err)
				assert.True(t, got.inOrder)
				assert.Positive(t, got.took)
			})
		}
	}
}
