// Package nginxtest starts nginx as a proxy for tests.
package nginxtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed67206a74/parley/internal/installed"
	"github.com/stretchr/testify/require"
)

// program is Debian's nginx.
const program = "/usr/sbin/nginx"

// config is the configuration of a proxy. Its arguments are the folder of its
// files, the directives of http, the parameters of listen, and the content of
// the server block.
const config = `
daemon off;
worker_processes 1;
user root;
pid %[1]s/pid;
error_log %[1]s/error.log;
events {}
http {
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	log_format test '$arg_transport $server_protocol $status gzip=$gzip_ratio pid=$pid';
	access_log %[1]s/access.log test;
	%[2]s
	server {
		listen unix:%[1]s/socket %[3]s;
		%[4]s
	}
}`

// A Server is an nginx in a process of its own. It listens on a unix socket.
type Server struct {
	t       testing.TB
	dir     string
	process *exec.Cmd
}

// Start starts a server and waits until it listens. It runs until the test
// ends. http has the directives of the http block, listen the parameters of
// listen, such as "ssl", and server the content of the server block.
func Start(t testing.TB, http, listen, server string) *Server {
	t.Helper()
	_, err := os.Stat(program)
	installed.Need(t, err, "make nginx")
	dir, err := os.MkdirTemp("", "nginx") // the path of a socket must be short
	require.NoError(t, err)
	n := &Server{t: t, dir: dir}
	file := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, config, dir, http, listen, server), 0o600))
	n.process = exec.Command(program, "-c", file, "-e", filepath.Join(dir, "error.log"))
	var output strings.Builder
	n.process.Stderr = &output
	require.NoError(t, n.process.Start())
	t.Cleanup(func() {
		_ = n.process.Process.Signal(syscall.SIGTERM)
		_ = n.process.Wait()
		if t.Failed() {
			t.Log(output.String(), n.Log("error.log"))
		}
		_ = os.RemoveAll(dir)
	})
	require.Eventually(t, func() bool {
		c, err := n.Dial(t.Context(), "", "")
		return err == nil && c.Close() == nil
	}, time.Minute, 10*time.Millisecond)
	return n
}

// Dial connects to the server. It is a DialContext of http.Transport.
func (n *Server) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(n.dir, "socket"))
}

// Reload makes the server read its configuration again, with new workers.
func (n *Server) Reload() { require.NoError(n.t, n.process.Process.Signal(syscall.SIGHUP)) }

// Log returns access.log or error.log.
func (n *Server) Log(name string) string {
	content, err := os.ReadFile(filepath.Join(n.dir, name))
	require.NoError(n.t, err)
	return string(content)
}
