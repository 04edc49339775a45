// Package child starts the server of a benchmark in a process of its own.
package child

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
)

// Start starts this program again, with the given variable set to 1 in its
// environment. It returns the first line of its output, a URL. The new process
// must end when its standard input is closed, which happens when stop is called
// or this process ends.
func Start(ctx context.Context, variable string) (url string, stop func(), err error) {
	program, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	server := exec.CommandContext(ctx, program)
	server.Env = append(os.Environ(), variable+"=1")
	server.Stderr = os.Stderr
	alive, err := server.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := server.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := server.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = alive.Close()
		_ = server.Wait()
	}
	url, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, err
	}
	return strings.TrimSpace(url), stop, nil
}
