package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed67206a74/parley/chat/chatnats"
	"github.com/seed67206a74/parley/chat/chattest"
)

// fleet starts the processes, and NATS and the backend unless their URLs are
// given. It stops all of them when the front end ends.
func fleet(ctx context.Context, s settings) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if s.nats == "" {
		dir, err := os.MkdirTemp("", "fleet")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		server, err := chatnats.Embedded(dir)
		if err != nil {
			return err
		}
		defer server.Close()
		s.nats = server.URL
	}
	if s.backend == "" {
		backend := chattest.NewServer(chattest.Config{Answer: chattest.Echo(30 * time.Millisecond)})
		defer backend.Close()
		s.backend = backend.URL
	}

	if err := setup(ctx, s); err != nil {
		return err
	}

	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	holders := map[string]*exec.Cmd{}
	said := make(chan line)
	for _, member := range []struct{ role, id string }{
		{"holder", "holder-1"}, {"holder", "holder-2"}, {"worker", "worker-1"}, {"worker", "worker-2"},
		{"reader", "reader"}, {"front", "front"},
	} {
		cmd, err := start(ctx, s, member.role, member.id, said, &all)
		if err != nil {
			return err
		}
		if member.role == "holder" {
			holders[member.id] = cmd
		}
	}

	holding, counted := "", 0
	for {
		select {
		case l := <-said:
			fmt.Printf("%-9s %s\n", l.id, l.text)
			switch {
			case l.text == holds:
				holding = l.id
			case strings.HasPrefix(l.text, "counted"):
				if counted++; counted == s.questions/2 && holders[holding] != nil {
					fmt.Printf("%-9s kills %s\n", "fleet", holding)
					if err := holders[holding].Process.Kill(); err != nil {
						return err
					}
				}
			case l.id == "front" && l.err != nil:
				return l.err
			case l.id == "front" && l.ended:
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A line is a line of a process's output, or the end of the output.
type line struct {
	id, text string
	ended    bool
	err      error
}

// start starts another process of this program, with a role.
func start(ctx context.Context, s settings, role, id string, said chan<- line, all *sync.WaitGroup) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "-role", role, "-id", id,
		"-nats", s.nats, "-backend", s.backend, "-questions", strconv.Itoa(s.questions), "-ca", s.ca)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	all.Go(func() { // ends with the process
		say := func(l line) {
			select {
			case said <- l:
			case <-ctx.Done():
			}
		}
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			say(line{id: id, text: scanner.Text()})
		}
		_, _ = io.Copy(io.Discard, out)
		err := cmd.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) && role != "front" {
			err = nil // it was killed, as planned
		}
		say(line{id: id, text: "has ended", ended: true, err: err})
	})
	return cmd, nil
}
