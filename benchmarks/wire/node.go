package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

//go:embed client.mjs
var nodeScript string

// nodeClient returns a run of the reference client in a process of its own. It
// returns false if the client is not installed in dir.
func nodeClient(dir, mode string) (run runFunc, ok bool) {
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "socket.io-client")); err != nil {
		return nil, false
	}
	return func(ctx context.Context, to target, n int) (result, error) {
		node := exec.CommandContext(ctx, "node", "--input-type=module", "-e", nodeScript, to.url, to.transport, mode, strconv.Itoa(n))
		node.Dir, node.Stderr = dir, os.Stderr
		out, err := node.Output()
		if err != nil {
			return result{}, err
		}
		var got struct {
			Milliseconds float64
			InOrder      bool
		}
		err = json.Unmarshal(out, &got)
		return result{time.Duration(got.Milliseconds * float64(time.Millisecond)), -1, got.InOrder}, err
	}, true
}
