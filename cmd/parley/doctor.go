package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/seed67206a74/parley/conn"
)

var doctor = command{
	name:    "doctor",
	args:    "URL",
	summary: "report how a Socket.IO server behaves",
	min:     1,
	max:     1,
	flags: func(flags *flag.FlagSet, o *options) {
		connFlags(flags, o)
		roomFlags(flags, o)
		flags.StringVar(&o.question, "ask", "", "a `question` for a chat backend: join the room of -chat, ask, and report how the answer is sent")
		flags.BoolVar(&o.json, "json", false, "print the report as JSON")
	},
	run: runDoctor,
	help: `
Doctor connects to the server at URL several times and reports its transports,
protocol version, heartbeat and limits, whether it accepts the namespace of the
URL's path, whether it can recover sessions, and the event names that it
advertises to a chat client.

With -ask it also asks a question, and reports whether events carry a requestId,
how tokens are numbered, and the chat.StreamConfig that fits.

Doctor fails if no session can be opened, or the server refuses the namespace.

Examples:
parley doctor http://localhost:3000/admin
parley doctor -auth '{"token":"…"}' -ask "Hello?" http://localhost:4000
parley doctor -json https://chat.example.com | jq .heartbeat
`,
}

// A report is the result of doctor.
type report struct {
	Server    string   `json:"server"` // scheme and host
	Path      string   `json:"path"`
	Namespace string   `json:"namespace"`
	Protocol  int      `json:"protocol,omitempty"` // revision of Engine.IO; 0 if no session opened
	Polling   probe    `json:"polling"`
	WebSocket probe    `json:"websocket"`
	Upgrade   probe    `json:"upgrade"`
	Heartbeat string   `json:"heartbeat,omitempty"`
	MaxBytes  int64    `json:"maxPayload,omitempty"` // 0: the server announces no limit
	Connect   probe    `json:"connect"`
	Early     int      `json:"early,omitempty"` // events before the answer to CONNECT
	Recovery  bool     `json:"recovery"`
	Names     names    `json:"names,omitempty"`
	Answer    *manners `json:"answer,omitempty"`
}

// A probe is the result of one check.
type probe struct {
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // the reason if not OK
}

// names are the event names that a server advertises, by key.
type names map[string]string

func passed(format string, args ...any) probe {
	return probe{OK: true, Detail: fmt.Sprintf(format, args...)}
}

func failed(err error) probe { return probe{Detail: clean(err.Error())} }

func runDoctor(ctx context.Context, s streams, o *options) error {
	config, err := o.conn(true)
	if err != nil {
		return err
	}
	if _, err := conn.New(o.args[0], config); err != nil {
		return misusef("%v", err)
	}
	x, err := newExaminer(o)
	if err != nil {
		return err
	}
	r := x.examine(ctx)
	var failure error
	switch {
	case r.Protocol == 3:
		failure = errors.New("the protocol is Engine.IO 3 (Socket.IO 2), which Parley does not support")
	case !r.Polling.OK && !r.WebSocket.OK:
		failure = fmt.Errorf("no session could be opened: %s", r.Polling.Detail)
	case !r.Connect.OK:
		failure = fmt.Errorf("namespace %s: %s", r.Namespace, r.Connect.Detail)
	case o.question != "":
		r.Answer, failure = question(ctx, o, config, r.Names)
	}
	if o.json {
		encoder := json.NewEncoder(s.out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(r)
	} else {
		err = r.print(s.out)
	}
	return errors.Join(err, failure)
}

// print writes the report as a table.
func (r report) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	check := func(name string, p probe) {
		switch {
		case p.OK && p.Detail == "":
			row(name, "yes")
		case p.OK:
			row(name, "yes, %s", p.Detail)
		default:
			row(name, "no: %s", p.Detail)
		}
	}
	row("server", "%s, path %s", r.Server, r.Path)
	if r.Protocol != 0 {
		row("protocol", "Engine.IO %d, Socket.IO %d", r.Protocol, r.Protocol+1)
	}
	check("websocket", r.WebSocket)
	check("polling", r.Polling)
	if r.Protocol == 4 {
		check("upgrade", r.Upgrade)
		row("heartbeat", "%s", r.Heartbeat)
		if r.MaxBytes == 0 {
			row("maxPayload", "not announced")
		} else {
			row("maxPayload", "%d bytes", r.MaxBytes)
		}
		check("namespace "+r.Namespace, r.Connect)
	}
	if r.Connect.OK {
		if r.Early > 0 {
			row("early events", "%d, before CONNECT is answered", r.Early)
		}
		row("recovery", "%s", yes(r.Recovery, "yes, lost sessions are resumed", "no"))
		if r.Names == nil {
			row("names", "none are advertised in response to meta:events:request")
		}
		for _, line := range r.Names.lines() {
			row("names", "%s", line)
		}
	}
	if r.Answer != nil {
		r.Answer.print(row)
	}
	return w.Flush()
}

func yes(ok bool, positive, negative string) string {
	if ok {
		return positive
	}
	return negative
}

// lines lists the names that differ from the contract. If none does, it counts
// the names.
func (n names) lines() []string {
	if n == nil {
		return nil
	}
	changed := n.changed()
	if len(changed) == 0 {
		return []string{fmt.Sprintf("%d advertised, as in the contract", len(n))}
	}
	return []string{clean(strings.Join(changed, ", "))}
}
