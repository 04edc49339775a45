package chattest_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAdmit_seesRequest(t *testing.T) {
	server := start(t, chattest.Config{Admit: func(k *chattest.Socket) error {
		if k.Header.Get("X-Key") != "good" {
			return &conn.RefusedError{Message: "no key", Data: json.RawMessage(`{"code":7}`)}
		}
		return nil
	}})
	c, err := conn.New(server.URL, quiet)
	require.NoError(t, err)
	refused, ok := errors.AsType[*conn.RefusedError](c.Run(t.Context()))
	require.True(t, ok)
	refused.Payload = nil // the same in another form
	assert.Equal(t, conn.RefusedError{Message: "no key", Data: json.RawMessage(`{"code":7}`)}, *refused)
	known, _, _ := client(t, server, conn.Config{Header: map[string][]string{"X-Key": {"good"}}})
	assert.NoError(t, known.Ready(t.Context()))
}

func TestAdmit_sendsEventsBeforeConnect(t *testing.T) {
	server := start(t, chattest.Config{Admit: func(k *chattest.Socket) error { return k.Emit(t.Context(), "early") }})
	ws := dial(t, server, "40")
	assert.Contains(t, ws.read(), "0{")
	assert.Equal(t, `42["early"]`, ws.read())
	assert.Contains(t, ws.read(), "40{")
}

func TestOnConnect_runsBeforeFirstEvent(t *testing.T) {
	var order []string
	server := start(t, chattest.Config{
		Recovery: time.Minute,
		OnConnect: func(k *chattest.Socket) {
			if k.Recovered() {
				order = append(order, "recovered over "+k.Transport())
			} else {
				order = append(order, "connected")
			}
		},
	})
	server.Handle("n", func(context.Context, chattest.Received) (any, error) {
		order = append(order, "event")
		return nil, nil
	})
	c, heard, _ := client(t, server, conn.Config{})
	call[reply](t, c, "n")
	require.NoError(t, server.Sockets()[0].Emit(t.Context(), "offset"))
	wiretest.ReceiveFrom(t, heard)
	states := c.States.Chan(t.Context())
	server.CloseClientConnections()
	wiretest.ReceivePhase(t, states, conn.Waiting)
	wiretest.ReceivePhase(t, states, conn.Ready)
	call[reply](t, c, "n")
	server.Close()
	assert.Equal(t, []string{"connected", "event", "recovered over websocket", "event"}, order)
}

func TestNamespaces_haveRoomsOfTheirOwn(t *testing.T) {
	server := start(t, chattest.Config{Namespaces: []string{"/admin"}})
	_, heard := joined(t, server, "room-1", "ada")
	admin, err := conn.New(server.URL+"/admin", inRoom(events.StringID("room-1"), "root"))
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- admin.Run(t.Context()) }() // ends with Close
	defer func() { _ = admin.Close(); <-ended }()
	ask(t, admin, question("room-1", "r1"))
	assert.Empty(t, heard)
	sockets := server.Sockets()
	require.Len(t, sockets, 2)
	assert.Equal(t, []string{"/", "/admin"}, []string{sockets[0].Namespace, sockets[1].Namespace})
	assert.Len(t, server.Room(events.StringID("room-1")), 2)
}

func TestPingInterval_setsHeartbeat(t *testing.T) {
	server := start(t, chattest.Config{PingInterval: 5 * time.Second, PingTimeout: 3 * time.Second})
	open := dial(t, server).read()
	assert.Contains(t, open, `"pingInterval":5000`)
	assert.Contains(t, open, `"pingTimeout":3000`)
}

func TestConnectTimeout_closesIdleConnection(t *testing.T) {
	server := start(t, chattest.Config{ConnectTimeout: time.Millisecond})
	ws := dial(t, server)
	ws.read()
	_, _, err := ws.ReadMessage()
	assert.Error(t, err)
}

func TestTransports_limitsServer(t *testing.T) {
	server := start(t, chattest.Config{Transports: []string{conn.Polling}})
	c, _, _ := client(t, server, conn.Config{Transports: []string{conn.Polling, conn.WebSocket}})
	require.NoError(t, c.Ready(t.Context()))
	assert.Equal(t, conn.Polling, server.Sockets()[0].Transport())
}

func TestMessageID_setsIDOfBroadcast(t *testing.T) {
	server := start(t, chattest.Config{MessageID: func(q events.UserMessage) string { return "server-" + q.MessageID }})
	c, heard := joined(t, server, "room-1", "ada")
	ask(t, c, question("room-1", "r1"))
	assert.Equal(t, "server-m-r1", as[events.ChatMessage](t, wiretest.ReceiveFrom(t, heard)).MessageID)
}

func TestArgs_areAcknowledged(t *testing.T) {
	server := start(t, chattest.Config{})
	server.Handle("order", func(_ context.Context, r chattest.Received) (any, error) {
		var n int
		err := r.DecodeArg(0, &n)
		bytes, ok := r.Bytes(1)
		_, text := r.Bytes(2)
		return chattest.Args{n, bytes, ok, text}, err
	})
	c, _, _ := client(t, server, conn.Config{})
	got := call[conn.Event](t, c, "order", 7, []byte{1, 2}, "AQI=")
	require.Len(t, got.Args, 4)
	assert.Equal(t, [][]byte{{1, 2}}, got.Attachments)
	assert.Equal(t, []string{"7", "true", "false"}, []string{string(got.Args[0]), string(got.Args[2]), string(got.Args[3])})
	server.Handle("order", func(context.Context, chattest.Received) (any, error) { return chattest.Args{}, nil })
	assert.Empty(t, call[conn.Args](t, c, "order"))
}

func TestCallReply_returnsAllArguments(t *testing.T) {
	server := start(t, chattest.Config{})
	ws := dial(t, server, "40")
	ws.read()
	ws.read()
	replies := make(chan chattest.Reply, 1)
	go func() {
		r, err := server.Sockets()[0].CallReply(t.Context(), "well?")
		assert.NoError(t, err)
		replies <- r
	}()
	assert.Equal(t, `420["well?"]`, ws.read())
	require.NoError(t, ws.WriteMessage(1, []byte(`461-0["AQI=",{"_placeholder":true,"num":0}]`)))
	require.NoError(t, ws.WriteMessage(2, []byte{1, 2}))
	r := wiretest.ReceiveFrom(t, replies)
	assert.Equal(t, []json.RawMessage{json.RawMessage(`"AQI="`), json.RawMessage(`"AQI="`)}, r.Args)
	_, text := r.Bytes(0)
	bytes, ok := r.Bytes(1)
	assert.False(t, text)
	assert.True(t, ok)
	assert.Equal(t, []byte{1, 2}, bytes)
}

func TestClose_sendsCloseCode(t *testing.T) {
	server := start(t, chattest.Config{OnConnect: func(k *chattest.Socket) { k.Close(4001, "maintenance") }})
	ws := dial(t, server, "40")
	ws.read()
	ws.read()
	_, _, err := ws.ReadMessage()
	assert.ErrorContains(t, err, "4001: maintenance")
}
