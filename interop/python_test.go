package interop

import (
	"context"
	"fmt"
	"os/exec"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/installed"
	"github.com/seed67206a74/parley/internal/nodetest"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// python is Debian's interpreter, which finds Debian's packages.
const python = "/usr/bin/python3"

// needPython skips the test if python-socketio is missing.
func needPython(t *testing.T) {
	t.Helper()
	out, err := exec.Command(python, "-c", "import socketio, aiohttp, uvicorn, websockets").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	installed.Need(t, err, "make python")
}

func TestPython_servesEachTransport(t *testing.T) {
	needPython(t)
	for _, framework := range []string{"aiohttp", "uvicorn"} {
		server := nodetest.StartProgram(t, []string{python, "../python/server.py", framework})
		for name, way := range transports {
			t.Run(framework+" by "+name, func(t *testing.T) {
				ctx := wiretest.Context(t)
				c, err := conn.New(server.URL(), conn.Config{Transports: way, Reconnect: soon})
				require.NoError(t, err)
				numbers := conn.On[int](c, "n").Chan(t.Context())
				ended, _ := wiretest.Run(t, c)

				text, err := conn.Call[string](ctx, c, "echo", "caf\u00e9 \U0001f600")
				require.NoError(t, err)
				assert.Equal(t, "caf\u00e9 \U0001f600", text)
				bytes, err := conn.Call[[]byte](ctx, c, "echo", []byte{1, 2, 3})
				require.NoError(t, err)
				assert.Equal(t, []byte{1, 2, 3}, bytes)

				count := 1000
				if name == "polling" { // the server sends many of them in one response
					count = 10_000
				}
				require.NoError(t, c.Emit(ctx, "flood", count))
				for n := range count {
					require.Equal(t, n, wiretest.ReceiveFrom(t, numbers))
				}
				used, err := conn.Call[string](ctx, c, "transport")
				require.NoError(t, err)
				if name != "polling→websocket" { // the upgrade may not have happened yet
					assert.Equal(t, name, used)
				}
				assert.EqualValues(t, 1, c.Stats().Sessions, "the session is never lost")

				// The DISCONNECT may arrive before the response to the
				// post, and then ends the post.
				if err := c.Emit(ctx, "leave"); err != nil {
					var failed *conn.SendError
					require.ErrorAs(t, err, &failed)
					assert.True(t, failed.MaybeSent)
				}
				assert.ErrorIs(t, wiretest.ReceiveFrom(t, ended), conn.ErrDisconnected)
			})
		}
		t.Run(framework+" refuses", func(t *testing.T) {
			c, err := conn.New(server.URL(), conn.Config{
				Auth: func(context.Context) (any, error) { return map[string]string{"token": "bad"}, nil },
			})
			require.NoError(t, err)
			var refused *conn.RefusedError
			require.ErrorAs(t, c.Run(wiretest.Context(t)), &refused)
			assert.Equal(t, "not authorised", refused.Message)
		})
	}
}
