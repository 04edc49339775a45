//go:build unix

package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A screen is a pseudo-terminal with the program, which runs as a process. An
// emulator renders the output.
type screen struct {
	program  *exec.Cmd
	keyboard *os.File
	changed  chan struct{} // has a value if the screen changed since the last receive
	wait     func() error  // waits until the program ends

	mu       sync.Mutex
	emulator *vt.Emulator
}

// show starts the program in a terminal of that size. The program ends with the
// test at the latest.
func show(t *testing.T, width, height int, arguments ...string) *screen {
	t.Helper()
	keyboard, tty, err := pty.Open()
	require.NoError(t, err)
	require.NoError(t, pty.Setsize(tty, &pty.Winsize{Rows: uint16(height), Cols: uint16(width)}))
	before, err := term.GetState(tty.Fd())
	require.NoError(t, err)

	program := exec.Command(os.Args[0], arguments...)
	program.Env = append(os.Environ(), "TERMINAL=1", "TERM=xterm-256color", "USER=u1")
	program.Stdin, program.Stdout, program.Stderr = tty, tty, tty
	program.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, program.Start())
	s := &screen{
		program: program, keyboard: keyboard, changed: make(chan struct{}, 1), wait: sync.OnceValue(program.Wait),
		emulator: vt.NewEmulator(width, height),
	}
	var working sync.WaitGroup
	working.Go(s.draw)   // ends when the terminal is closed
	working.Go(s.answer) // ends with draw
	t.Cleanup(func() {
		_ = program.Process.Kill()
		if s.wait(); program.ProcessState.Exited() {
			after, err := term.GetState(tty.Fd())
			assert.NoError(t, err)
			assert.Equal(t, before, after, "the settings of the terminal are restored")
		}
		tty.Close()
		working.Wait()
		keyboard.Close()
	})
	return s
}

// draw copies the output of the program to the emulator.
func (s *screen) draw() {
	buffer := make([]byte, 4096)
	for {
		n, err := s.keyboard.Read(buffer)
		s.mu.Lock()
		_, _ = s.emulator.Write(buffer[:n])
		s.mu.Unlock()
		select {
		case s.changed <- struct{}{}:
		default:
		}
		if err != nil {
			s.emulator.InputPipe().(io.Closer).Close()
			return
		}
	}
}

// answer copies the emulator's replies to terminal queries to the program.
func (s *screen) answer() { _, _ = io.Copy(s.keyboard, s.emulator) }

// press presses keys.
func (s *screen) press(t *testing.T, keys string) {
	t.Helper()
	_, err := io.WriteString(s.keyboard, keys)
	require.NoError(t, err)
}

// await waits until all the texts are on the screen.
func (s *screen) await(t *testing.T, texts ...string) (seen string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		s.mu.Lock()
		seen = s.emulator.String()
		s.mu.Unlock()
		missing := ""
		for _, text := range texts {
			if !strings.Contains(seen, text) {
				missing = text
			}
		}
		if missing == "" {
			return seen
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
			t.Fatalf("%q is not on the screen:\n%s", missing, seen)
		}
	}
}
