package sioserver_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/internal/sioserver"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConnect_answersWithSocketID(t *testing.T) {
	for _, c := range []struct{ connect, reply, auth string }{
		{`40`, `^40{"sid":"[^"]+"}$`, `42["auth",{}]`},
		{`40{"token":"123"}`, `^40{"sid":"[^"]+"}$`, `42["auth",{"token":"123"}]`},
		{`40/custom,`, `^40/custom,{"sid":"[^"]+"}$`, `42/custom,["auth",{}]`},
		{`40/custom`, `^40/custom,{"sid":"[^"]+"}$`, `42/custom,["auth",{}]`},
		{`40/custom,{"token":"abc"}`, `^40/custom,{"sid":"[^"]+"}$`, `42/custom,["auth",{"token":"abc"}]`},
	} {
		w := serve(t, sioserver.Config{}).open()
		w.write(c.connect)
		assert.Regexp(t, c.reply, w.read(), c.connect)
		assert.Equal(t, c.auth, w.read(), c.connect)
	}
}

func TestConnect_rejectsUnknownNamespace(t *testing.T) {
	w := serve(t, sioserver.Config{}).open()
	w.write("40/random")
	assert.Equal(t, `44/random,{"message":"Invalid namespace"}`, w.read())
	w.write("40")
	assert.Contains(t, w.read(), `40{"sid"`, "the connection goes on")
}

func TestAdmit_refusesWithMessageAndData(t *testing.T) {
	r := serve(t, sioserver.Config{})
	refuse := func(err error) sioserver.Handlers {
		return sioserver.Handlers{Admit: func(*sioserver.Socket) error { return err }}
	}
	r.server.Namespace("/text", refuse(errors.New("no")))
	r.server.Namespace("/data", refuse(fmt.Errorf("admit: %w", &sioserver.ConnectError{Message: "no", Data: map[string]int{"code": 7}})))
	w := r.open()
	w.write("40/text,")
	assert.Equal(t, `44/text,{"message":"no"}`, w.read())
	w.write("40/data,")
	assert.Equal(t, `44/data,{"message":"no","data":{"code":7}}`, w.read())
	w.write("40/data,")
	assert.Equal(t, `44/data,{"message":"no","data":{"code":7}}`, w.read(), "a client may try again")
}

func TestDynamic_addsNamespaces(t *testing.T) {
	r := serve(t, sioserver.Config{})
	r.server.Dynamic(func(name string) (sioserver.Handlers, bool) { return suite, strings.HasPrefix(name, "/tenant-") })
	w := r.open()
	w.write("40/tenant-7,")
	assert.Contains(t, w.read(), `40/tenant-7,{"sid"`)
	assert.Equal(t, `42/tenant-7,["auth",{}]`, w.read())
	w.write("40/other,")
	assert.Contains(t, w.read(), `44/other,`)
}

func TestConnect_closesConnectionOnInvalidPackets(t *testing.T) {
	for _, frames := range [][]string{
		{"4abc"}, {"4"}, {"47"}, // no packet
		{`42["message",1]`}, {"41"}, {`431["x"]`}, {`42/custom,["x"]`}, // CONNECT comes first
		{"40[]"}, {`40"token"`}, {"40null"}, {`40{"token"`}, {`40{}x`}, // wrong payloads
		{"40", "40"}, {"40", `44{"message":"no"}`}, // packets of the server
		{"40", "42"}, {"40", "42[]"}, {"40", "42{}"}, {"40", `42"x"`}, {"40", "42[null]"}, {"40", `42["x"`}, {"40", "42[{}]"},
		{"40", `42["connect"]`}, {"40", `42["disconnect"]`}, // reserved names
		{"40", "43[]"}, {"40", "431{}"}, {"40", "431"}, // acknowledgements
		{"40", "41{}"},
		{"40", `451-["x",{"_placeholder":true,"num":0}]`, `42["text"]`}, // an attachment is missing
		// no number of attachments
		{"40", "45-[]"}, {"40", `45["x"]`}, {"40", `4599999999999999999-["x"]`},
		{"40", "41", `42["x"]`}, // after a DISCONNECT
	} {
		t.Run(strings.Join(frames, " "), func(t *testing.T) {
			w := serve(t, sioserver.Config{}).open()
			w.write(frames...)
			for {
				_, frame, err := w.ReadMessage()
				if err != nil {
					assert.True(t, websocket.IsCloseError(err, websocket.CloseNormalClosure), "%v", err)
					return
				}
				require.NotContains(t, string(frame), "message-back")
			}
		})
	}
}

func TestConnect_closesConnectionOnInvalidAttachments(t *testing.T) {
	for name, packet := range map[string]string{
		"not announced":   "",
		"number too high": `451-["message",{"_placeholder":true,"num":1}]`,
		"negative":        `451-["message",{"_placeholder":true,"num":-1}]`,
		"no number":       `451-["message",{"_placeholder":true,"num":"0"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, sioserver.Config{}).connect()
			if packet != "" {
				w.write(packet)
			}
			require.NoError(t, w.WriteMessage(websocket.BinaryMessage, []byte{1}))
			w.closed()
		})
	}
}

func TestConnect_closesConnectionWithoutConnect(t *testing.T) {
	inBubble(t, sioserver.Config{}, func(r *rig) {
		w := r.open()
		start := time.Now()
		assert.Equal(r, "2", w.read())
		w.write("3")
		w.closed()
		assert.Equal(r, 45*time.Second, time.Since(start))
	})
}

func TestDisconnect_endsNamespaceOnly(t *testing.T) {
	inBubble(t, fast, func(r *rig) {
		w := r.connect()
		w.write("41")
		assert.Equal(r, "2", w.read(), "the connection goes on")
		w.write("3", "40", "40/custom")
		replies := w.read() + w.read() + w.read() + w.read()
		assert.Contains(r, replies, "40{", "it may connect again")
		assert.Contains(r, replies, "40/custom,{")
		w.write("41/custom", `42["message","message to main namespace"]`)
		assert.Equal(r, `42["message-back","message to main namespace"]`, w.read())
	})
}

func TestEvent_roundTrips(t *testing.T) {
	for _, c := range [][2]string{
		{`42["message",1,"2",{"3":[true]}]`, `42["message-back",1,"2",{"3":[true]}]`},
		{`42456["message-with-ack",1,"2",{"3":[false]}]`, `43456[1,"2",{"3":[false]}]`},
		{`42/custom,["message",null]`, `42/custom,["message-back",null]`},
		{`42/custom,13["message-with-ack"]`, `43/custom,13[]`},
		{`42["message","\u2028\ud83d\ude00<&>"]`, "42[\"message-back\",\"\u2028\U0001F600<&>\"]"},
	} {
		w := serve(t, sioserver.Config{}).connect()
		w.write("40/custom,")
		w.read()
		w.read()
		w.write(c[0])
		assert.Equal(t, c[1], w.read())
	}
}

func TestEvent_carriesAttachments(t *testing.T) {
	for _, c := range [][2]string{
		{`452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, `452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`},
		{`452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, `462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`},
		{`452-["message",{"deep":[{"_placeholder":true,"num":0}]},{"_placeholder":true,"num":1}]`, `452-["message-back",{"deep":[{"_placeholder":true,"num":0}]},{"_placeholder":true,"num":1}]`},
	} {
		w := serve(t, sioserver.Config{}).connect()
		w.write(c[0])
		for _, b := range [][]byte{{1, 2, 3}, {4, 5, 6}} {
			require.NoError(t, w.WriteMessage(websocket.BinaryMessage, b))
		}
		assert.Equal(t, c[1], w.read())
		for _, want := range [][]byte{{1, 2, 3}, {4, 5, 6}} {
			kind, got, err := w.ReadMessage()
			require.NoError(t, err)
			assert.Equal(t, websocket.BinaryMessage, kind)
			assert.Equal(t, want, got)
		}
	}
}

func TestEvent_mayFollowConnectAtOnce(t *testing.T) {
	r := serve(t, sioserver.Config{})
	for range 200 {
		w := r.dial("transport=websocket")
		w.write("40", `420["message-with-ack","hello"]`)
		opened(t, w.read())
		assert.Contains(t, w.read(), `40{"sid"`)
		assert.Equal(t, `42["auth",{}]`, w.read())
		assert.Equal(t, `430["hello"]`, w.read())
		require.NoError(t, w.Close())
	}
}
