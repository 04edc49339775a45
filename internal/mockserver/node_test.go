package mockserver

import (
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/internal/nodetest"
	"github.com/stretchr/testify/assert"
)

func TestMockserver_servesSocketIOClient(t *testing.T) {
	b := serve(t, Config{Token: "secret", Recovery: time.Minute, Faults: Faults{Pace: Duration(time.Millisecond)}})
	seen := nodetest.Run(t, "mockclient.js", b.URL(), "secret")
	assert.Equal(t, []string{
		`{"what":"refused","payload":"the token is not the right one"}`,
		`{"what":"joined","payload":{"ok":true}}`,
		`{"what":"presence","payload":["ada","bob"]}`,
		`{"what":"names","payload":{"AI_TOKEN":"ai:token","JOIN":"chat:join"}}`,
		`{"what":"typing","payload":{"chatId":"room-1","userId":"ada"}}`,
		`{"what":"read","payload":{"chatId":"room-1","userId":"bob","messageIds":["m-r1"],"readAt":"2026-01-02T03:04:05Z"}}`,
		`{"what":"sent","payload":{"ok":true}}`,
		`{"what":"heard","payload":"What time is it?"}`,
		`{"what":"tool call","payload":{"toolName":"clock","args":{"zone":"UTC"}}}`,
		`{"what":"answer","payload":{"text":"I asked your client for its tool “clock”, and it says: {\"time\":\"noon\"}.","whole":true,"usage":true}}`,
		`{"what":"recovered","payload":true}`,
		`{"what":"in order","payload":true}`,
		`{"what":"aborted","payload":{"ok":true}}`,
		`{"what":"silence","payload":true}`,
		`{"what":"kicked","payload":"io server disconnect"}`,
	}, strings.Split(strings.TrimSpace(seen), "\n"))
}
