package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlayground_sendsTrafficWithoutSecrets(t *testing.T) {
	server := backend(t, chattest.Config{Answer: chattest.Say("Hello yourself.", 0)})
	ada := open(t, serve(t, server.URL), "ada")
	ada.ready()
	dial := wait(ada, "frame", func(f frame) bool { return f.Way == "dial" })
	assert.Contains(t, dial.Text, server.URL)
	out := wait(ada, "frame", func(f frame) bool { return f.Way == "out" })
	assert.Equal(t, "0•••", out.Text)
	assert.Greater(t, out.Size, len(out.Text), "the size of the whole message")
	in := wait(ada, "frame", func(f frame) bool { return f.Way == "in" })
	assert.Equal(t, "0•••", in.Text)
	ada.post("ask", `{"text": "Hello"}`)
	wait(ada, "frame", func(f frame) bool { return f.Way == "out" && strings.Contains(f.Text, `"user:message"`) })
	wait(ada, "frame", func(f frame) bool { return f.Way == "in" && strings.Contains(f.Text, `"ai:message"`) })
	server.Close()
	wait(ada, "frame", func(f frame) bool { return f.Way == "end" })
}

func TestMaskConnect_hidesPayload(t *testing.T) {
	for packet, want := range map[string]string{
		`0{"token":"secret"}`:        "0•••",
		`0/admin,{"token":"secret"}`: "0/admin,•••",
		"0/admin,":                   "0/admin,",
		`2["user:message",{}]`:       `2["user:message",{}]`,
		`42["number",{"a":1}]`:       `42["number",{"a":1}]`,
		"":                           "",
	} {
		assert.Equal(t, want, maskConnect(packet))
	}
}

func TestDescribeDial_masksQueryAndHeaders(t *testing.T) {
	address, err := url.Parse("https://ada:password@example.com/socket.io/?token=secret&a=b")
	require.NoError(t, err)
	text := describeDial(conn.Endpoint{
		URL: address, Transports: []string{"websocket"}, Header: http.Header{"Authorization": {"Bearer secret"}, "X-Tenant": {"acme"}},
	})
	assert.Equal(t, "https://example.com/socket.io/?a=•••&token=••• (websocket)\nAuthorization: •••\nX-Tenant: •••", text)
}

func TestTap_showsBeginningOfLongMessage(t *testing.T) {
	var tapped tap
	frames := tapped.frames.Chan(t.Context())
	tapped.message("in", conn.Message{Data: []byte(strings.Repeat("é", maxFrameText))})
	tapped.message("in", conn.Message{Data: []byte{1, 2, 3}, Binary: true})
	f := <-frames
	assert.True(t, f.Cut)
	assert.Equal(t, strings.Repeat("é", maxFrameText/2), f.Text)
	assert.Equal(t, 2*maxFrameText, f.Size)
	f = <-frames
	assert.Equal(t, "(binary)", f.Text)
	assert.Equal(t, 3, f.Size)
	assert.Equal(t, int64(2), f.N)
}
