package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/seed67206a74/parley/conn"
)

// A printer prints events and states, one on a line.
type printer struct {
	out  io.Writer
	json bool
}

// A record is a line of JSON: an event, or a state of the connection.
type record struct {
	At          time.Time `json:"at"`
	Event       string    `json:"event,omitempty"`
	Args        conn.Args `json:"args,omitempty"`
	Attachments [][]byte  `json:"attachments,omitempty"` // base64; Args has placeholders
	State       string    `json:"state,omitempty"`
	Session     string    `json:"session,omitempty"`
	Attempt     int       `json:"attempt,omitempty"`
	DelayMs     int64     `json:"delayMs,omitempty"`
	Error       string    `json:"error,omitempty"`
}

// print prints events and states until both channels are closed. It returns the
// first error of the writer.
func (p printer) print(raw <-chan conn.Event, states <-chan conn.State) error {
	for raw != nil || states != nil {
		var err error
		select {
		case event, open := <-raw:
			if !open {
				raw = nil
				break
			}
			err = p.event(event)
		case state, open := <-states:
			if !open {
				states = nil
				break
			}
			err = p.state(state)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p printer) event(e conn.Event) error {
	if p.json {
		return p.record(record{Event: e.Name, Args: e.Args, Attachments: e.Attachments})
	}
	var line strings.Builder
	line.WriteString(e.Name)
	for _, arg := range e.Args {
		line.WriteByte(' ')
		line.Write(arg)
	}
	for i, attachment := range e.Attachments {
		fmt.Fprintf(&line, " [attachment %d: %d bytes]", i, len(attachment))
	}
	return p.text(line.String())
}

func (p printer) state(s conn.State) error {
	if !p.json {
		return p.text("-- " + s.String())
	}
	r := record{State: s.Phase.String(), Session: s.SessionID, Attempt: s.Attempt, DelayMs: s.Delay.Milliseconds()}
	if s.Err != nil {
		r.Error = s.Err.Error()
	}
	return p.record(r)
}

func (p printer) record(r record) error {
	r.At = time.Now()
	return json.NewEncoder(p.out).Encode(r)
}

func (p printer) text(line string) error {
	_, err := fmt.Fprintf(p.out, "%s %s\n", time.Now().Format("15:04:05.000"), strings.ReplaceAll(clean(line), "\n", " "))
	return err
}

// clean replaces control characters except line feeds, so that a server cannot
// control the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case unicode.IsControl(r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
