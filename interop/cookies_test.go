package interop

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/nodetest"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A cookie of Header and a cookie of the server reach the server together, as
// with npm's client. Only npm's client over polling drops the cookie of the
// header after the handshake.
func TestCookies_ofHeaderAndJarAreSent(t *testing.T) {
	t.Parallel()
	server := nodetest.Start(t, "wire.js")
	type kinds map[string][]string // the cookies by the kind of request
	header, both := []string{"token=t"}, []string{"node=b", "token=t"}
	for name, want := range map[string]kinds{
		"websocket":         {"websocket handshake": header},
		"polling":           {"polling handshake": header, "polling": both},
		"polling→websocket": {"polling handshake": header, "polling": both, "websocket": both},
	} {
		t.Run(name, func(t *testing.T) {
			address := server.URL() + "?client="
			if name == "polling→websocket" {
				address = server.URL() + "?upgrade=1&client="
			}
			way := transports[name]

			options, err := json.Marshal(map[string]any{
				"transports": way, "withCredentials": true, "extraHeaders": map[string]string{"cookie": "token=t"},
			})
			require.NoError(t, err)
			var reference kinds
			out := nodetest.Run(t, "reference.js", address+"npm-"+strings.Join(way, "-"), string(options), "cookies")
			require.NoError(t, json.Unmarshal([]byte(out), &reference))

			jar, err := cookiejar.New(nil)
			require.NoError(t, err)
			session := func(client string) kinds {
				c, err := conn.New(address+client+strings.Join(way, "-"), conn.Config{
					Transports: way, Jar: jar, Header: http.Header{"Cookie": {"token=t"}}, Reconnect: soon,
				})
				require.NoError(t, err)
				wiretest.Run(t, c)
				got, err := conn.Call[kinds](wiretest.Context(t), c, "cookies")
				require.NoError(t, err)
				return got
			}
			got := session("first-")
			assert.Equal(t, want, got)

			for kind, cookies := range reference {
				if kind != "polling" {
					assert.Equal(t, cookies, got[kind], "npm's client, %s", kind)
				}
				for _, cookie := range cookies {
					assert.True(t, slices.Contains(got[kind], cookie), "npm's client, %s: %s", kind, cookie)
				}
			}
			assert.Len(t, reference, len(want), "npm's client made each kind of request")

			// The next session begins with the cookie of the server.
			assert.Equal(t, both, session("next-")[way[0]+" handshake"])
		})
	}
}
