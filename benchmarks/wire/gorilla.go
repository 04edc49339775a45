package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/gorilla/websocket"
)

// dialGorilla opens a websocket and makes the handshake by hand.
func dialGorilla(ctx context.Context, to target) (*websocket.Conn, error) {
	dialer := websocket.Dialer{TLSClientConfig: anyCertificate}
	ws, _, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(to.url, "http")+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		return nil, err
	}
	if _, _, err = ws.ReadMessage(); err == nil {
		err = ws.WriteMessage(websocket.TextMessage, []byte("40"))
	}
	if err == nil {
		_, _, err = ws.ReadMessage()
	}
	if err != nil {
		ws.Close()
		return nil, err
	}
	return ws, nil
}

// gorillaSend formats and writes messages in a bare loop.
func gorillaSend(ctx context.Context, to target, n int) (result, error) {
	ws, err := dialGorilla(ctx, to)
	if err != nil {
		return result{}, err
	}
	defer ws.Close()
	if err := ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `42["count",%d]`, n)); err != nil {
		return result{}, err
	}
	if _, _, err := ws.ReadMessage(); err != nil { // "go"
		return result{}, err
	}
	return measured(n, func() (bool, error) {
		var frame []byte
		for i := range n {
			frame = fmt.Appendf(frame[:0], `42["user:message",{"chatId":"room-1","requestId":"req-1234","messageId":"%d",`+
				`"userId":"u1","text":"Hello, how are you today? Tell me something about the sea."}]`, i)
			if err := ws.WriteMessage(websocket.TextMessage, frame); err != nil {
				return false, err
			}
		}
		_, last, err := ws.ReadMessage()
		return string(last) == `42["done",true]`, err
	})
}

// gorillaReceive reads frames and does not decode them: the limit.
func gorillaReceive(ctx context.Context, to target, n int) (result, error) {
	ws, err := dialGorilla(ctx, to)
	if err != nil {
		return result{}, err
	}
	defer ws.Close()
	return measured(n, func() (bool, error) {
		if err := ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `42["blast",%d]`, n)); err != nil {
			return false, err
		}
		for range n {
			_, r, err := ws.NextReader()
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			if err != nil {
				return false, err
			}
		}
		return true, nil
	})
}
