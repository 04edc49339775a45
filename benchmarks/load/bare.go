package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// A bareClient is a websocket and a loop that reads its frames. It decodes only
// the time in a token.
type bareClient struct{ ws *websocket.Conn }

func openBare(ctx context.Context, url string) (client, error) {
	ws, _, err := websocket.DefaultDialer.DialContext(ctx, "ws"+strings.TrimPrefix(url, "http")+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		return nil, err
	}
	if _, _, err = ws.ReadMessage(); err == nil {
		err = ws.WriteMessage(websocket.TextMessage, []byte("40"))
	}
	if err == nil {
		_, _, err = ws.ReadMessage()
	}
	return bareClient{ws}, err
}

func (b bareClient) Close() error { return b.ws.Close() }

func (b bareClient) ask(_ context.Context, text string, latencies *histogram) error {
	question := fmt.Sprintf(`42["user:message",{"requestId":"r1","messageId":"m1","userId":"u","text":%q}]`, text)
	if err := b.ws.WriteMessage(websocket.TextMessage, []byte(question)); err != nil {
		return err
	}
	for {
		_, frame, err := b.ws.ReadMessage()
		if err != nil {
			return err
		}
		_, token, ok := bytes.Cut(frame, []byte(`"token":"`))
		if !ok {
			return nil // the final message
		}
		now := time.Now()
		sent, err := strconv.ParseInt(string(token[:bytes.IndexByte(token, '"')]), 10, 64)
		if err != nil {
			return err
		}
		latencies.add(now.Sub(time.Unix(0, sent)))
	}
}
