//go:build load

package web

import (
	"bufio"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat/chathttp"
	"github.com/stretchr/testify/require"
)

// An answer is silent for longer than nginx's proxy_read_timeout, which is 60 s
// by default.
func TestNginx_keepsResponseOpenWithDefaults(t *testing.T) {
	const silence = 65 * time.Second
	s := newSite(t, chathttp.Config{}, nil)
	response := askOver(t, behindNginx(t, s, ""), "AI SDK", "silent")
	lines := bufio.NewReader(response.Body)
	for comments := 0; comments <= int(silence/chathttp.DefaultKeepAlive); {
		line, err := lines.ReadString('\n')
		require.NoError(t, err, "after %d comments", comments)
		if line == ":\n" {
			comments++
		}
	}
}
