package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/mockserver"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// startMock starts the mock backend and returns its URL.
func startMock(t *testing.T, change func(*mockserver.Config)) string {
	t.Helper()
	cfg := mockserver.Defaults()
	cfg.Addr, cfg.Faults.Pace = "127.0.0.1:0", 0
	change(&cfg)
	server, err := mockserver.Start(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }() // ends with the test
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	return server.URL()
}

// examined runs doctor and decodes its report.
func examined(t *testing.T, args ...string) (code int, r report, complaints string) {
	t.Helper()
	code, out, complaints := runCommand(t, "", append([]string{"doctor", "-json"}, args...)...)
	require.NoError(t, json.Unmarshal([]byte(out), &r), complaints)
	return code, r, complaints
}

func TestDoctor_reportsServer(t *testing.T) {
	url := startMock(t, func(cfg *mockserver.Config) {
		require.NoError(t, cfg.Names.Set("AI_TOKEN=llm:delta"))
		cfg.Modes.EarlyEvents = true
	})
	code, r, complaints := examined(t, url)
	require.Equal(t, success, code, complaints)
	assert.Contains(t, r.Connect.Detail, "session ")
	r.Connect.Detail = ""
	assert.Equal(t, "llm:delta", r.Names["AI_TOKEN"])
	r.Names = nil
	yes := probe{OK: true}
	assert.Equal(t, report{
		Server: url, Path: conn.DefaultPath, Namespace: "/", Protocol: 4,
		Polling: yes, WebSocket: yes, Upgrade: yes, Connect: yes,
		Heartbeat: "a ping every 25s, timeout 20s", MaxBytes: 1_000_000, Early: 1, Recovery: true,
	}, r)

	code, out, complaints := runCommand(t, "", "doctor", url)
	require.Equal(t, success, code, complaints)
	for _, line := range []string{
		"protocol      Engine.IO 4, Socket.IO 5\n", "websocket     yes\n", "names         AI_TOKEN=llm:delta\n",
		"early events  1, before CONNECT is answered\n",
	} {
		assert.Contains(t, out, line)
	}
}

func TestDoctor_reportsRefusal(t *testing.T) {
	url := startMock(t, func(cfg *mockserver.Config) { cfg.Token = "secret" })
	code, r, complaints := examined(t, url, "-auth", `{"token":"wrong"}`)
	assert.Equal(t, failure, code)
	assert.False(t, r.Connect.OK)
	assert.Contains(t, complaints, "namespace /: refused: ")

	code, _, complaints = examined(t, url, "-auth", `{"token":"secret"}`)
	assert.Equal(t, success, code, complaints)
}

func TestDoctor_reportsOtherServers(t *testing.T) {
	// Each server answers the polling handshake of a revision of Engine.IO.
	for _, tc := range []struct {
		name    string
		respond func(w http.ResponseWriter, r *http.Request)
		want    string
	}{
		{"a web page", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "<html>")
		}, `this is not a Socket.IO server: it answered "<html>"`},
		{"Socket.IO 2", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("EIO") != "3" {
				http.Error(w, `{"code":5,"message":"Unsupported protocol version"}`, http.StatusBadRequest)
				return
			}
			fmt.Fprint(w, `85:0{"sid":"s1","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":5000}2:40`)
		}, "Engine.IO 3 (Socket.IO 2), which Parley does not support"},
		{"a forbidden path", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no entry", http.StatusForbidden)
		}, "HTTP status 403 Forbidden: no entry"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(tc.respond))
			defer server.Close()
			defer http.DefaultClient.CloseIdleConnections()
			code, _, complaints := examined(t, server.URL)
			assert.Equal(t, failure, code)
			assert.Contains(t, complaints, tc.want)
		})
	}
}

func TestDoctor_connectsByPollingOnly(t *testing.T) {
	polls := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch query := r.URL.Query(); {
		case query.Get("transport") != "polling":
			http.Error(w, "websocket is off", http.StatusBadRequest)
		case r.Method == http.MethodPost:
			polls <- "2\x1e" + `40/admin,{"sid":"n1"}`
		case query.Get("sid") != "":
			fmt.Fprint(w, <-polls)
		default:
			fmt.Fprint(w, `0{"sid":"s1","upgrades":[],"pingInterval":25000,"pingTimeout":20000}`)
		}
	}))
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	code, r, complaints := examined(t, server.URL+"/admin")
	assert.Equal(t, success, code, complaints)
	assert.True(t, r.Connect.OK)
	assert.Contains(t, r.WebSocket.Detail, "websocket is off")
	assert.Equal(t, "the server does not offer it", r.Upgrade.Detail)
}

func TestDoctor_keepsSecretsOfURL(t *testing.T) {
	_, out, complaints := runCommand(t, "", "doctor", "http://127.0.0.1:1/?token=secret", "-header", "Authorization: secret")
	assert.NotContains(t, out+complaints, "secret")
}

func TestDoctor_asksQuestion(t *testing.T) {
	for _, tc := range []struct {
		name       string
		change     func(*mockserver.Config)
		index, ids string
	}{
		{"by the contract", func(*mockserver.Config) {}, "from 0", "in every event of the answer"},
		{"without request ids", func(cfg *mockserver.Config) { cfg.Modes.NoRequestIDs = true }, "from 0", "in no event: ask one question at a time in a room"},
		{"with other names", func(cfg *mockserver.Config) { cfg.Names = mockserver.Names{"AI_TOKEN": "llm:delta"} }, "from 0", "in every event of the answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, r, complaints := examined(t, startMock(t, tc.change), "-ask", "Hello")
			require.Equal(t, success, code, complaints)
			require.NotNil(t, r.Answer)
			assert.Equal(t, tc.index, r.Answer.Index)
			assert.Equal(t, tc.ids, r.Answer.RequestIDs)
			assert.Positive(t, r.Answer.Tokens)
			assert.True(t, r.Answer.Acknowledged)
		})
	}
}

func TestScheme_describesNumbering(t *testing.T) {
	const fits = "chat.StreamConfig{}, the default"
	for _, tc := range []struct {
		indices      []int
		want, config string
	}{
		{nil, "no token arrived", ""},
		{[]int{-1, -1}, "none", "chat.StreamConfig{Index: chat.IndexNone}"},
		{[]int{0, -1}, "in some tokens only", fits},
		{[]int{0, 2, 1}, "from 0", fits},
		{[]int{1, 2, 3}, "from 1", "chat.StreamConfig{Index: chat.IndexFromOne}"},
		{[]int{0, 1, 0, 1}, "restarts at 0", "chat.StreamConfig{Index: chat.IndexRestarts}"},
		{[]int{7, 8}, "from 7, not from 0: tokens are missing, or the scheme is another", fits},
	} {
		t.Run(strings.Trim(fmt.Sprint(tc.indices), "[]"), func(t *testing.T) {
			assert.Equal(t, tc.want, scheme(tc.indices))
			m := &manners{Tokens: len(tc.indices), indices: tc.indices}
			assert.Equal(t, tc.config, m.finish().Config)
		})
	}
}
