package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/events"
)

// A bareClient is a websocket and a loop that reads its frames. It decodes only
// the time in a token.
type bareClient struct{ ws *websocket.Conn }

func openBare(ctx context.Context, url string) (client, error) {
	ws, err := dialBare(ctx, url)
	return bareClient{ws}, err
}

func dialBare(ctx context.Context, url string) (*websocket.Conn, error) {
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
	return ws, err
}

func (b bareClient) Close() error { return b.ws.Close() }

func (b bareClient) ask(_ context.Context, text string, latencies *histogram) error {
	if err := askBare(b.ws, text); err != nil {
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
		if err := received(string(token[:bytes.IndexByte(token, '"')]), latencies); err != nil {
			return err
		}
	}
}

func askBare(ws *websocket.Conn, text string) error {
	question := fmt.Sprintf(`42["user:message",{"requestId":"r1","messageId":"m1","userId":"u","text":%q}]`, text)
	return ws.WriteMessage(websocket.TextMessage, []byte(question))
}

// received adds the latency of a token that has just been received. Its text is
// the time at which it was sent.
func received(token string, latencies *histogram) error {
	now := time.Now()
	sent, err := strconv.ParseInt(token, 10, 64)
	if err == nil {
		latencies.add(now.Sub(time.Unix(0, sent)))
	}
	return err
}

// A handmadeClient is a websocket and a goroutine that reads its frames,
// decodes the tokens with encoding/json, and sends them to a channel.
type handmadeClient struct {
	ws     *websocket.Conn
	tokens chan events.AIToken // closed after the answer
}

func openHandmade(ctx context.Context, url string) (client, error) {
	ws, err := dialBare(ctx, url)
	if err != nil {
		return nil, err
	}
	h := handmadeClient{ws, make(chan events.AIToken, 64)}
	go h.read() // ends with Close
	return h, nil
}

func (h handmadeClient) Close() error { return h.ws.Close() }

func (h handmadeClient) read() {
	defer close(h.tokens)
	for {
		_, frame, err := h.ws.ReadMessage()
		if err != nil {
			return
		}
		var name string
		var token plainToken
		if json.Unmarshal(bytes.TrimPrefix(frame, []byte("42")), &[]any{&name, &token}) != nil || name != "ai:token" {
			return // the final message
		}
		h.tokens <- events.AIToken(token)
	}
}

// A plainToken is decoded by encoding/json alone.
type plainToken events.AIToken

func (h handmadeClient) ask(_ context.Context, text string, latencies *histogram) error {
	if err := askBare(h.ws, text); err != nil {
		return err
	}
	for token := range h.tokens {
		if err := received(token.Token, latencies); err != nil {
			return err
		}
	}
	return nil
}
