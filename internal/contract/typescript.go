package contract

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/seed67206a74/parley/events"
)

// TypeScript returns the contract as a module of types: one for each payload,
// and the maps from event name to payload.
func (c *Contract) TypeScript() []byte {
	w := &typescript{}
	w.line("// The events between a chat client and its backend.")
	w.line("// Generated from package events of Parley by make generate; do not edit.")
	w.line("")
	w.line("/** A string or an integer. JavaScript loses digits of integers beyond 2^53: send those as strings. */")
	w.line("export type ID = string | number;")
	w.line("")
	w.comment(aboutEnvelope)
	w.line("export interface Envelope {")
	w.members(envelope())
	w.line("}")
	for _, t := range c.payloads {
		w.object(t, c.comments[t.Name()])
	}
	for _, t := range c.records {
		w.object(t, c.comments[t.Name()])
	}
	w.line("")
	w.comment(aboutJoin)
	w.line("export interface %s extends Envelope {", joinType)
	w.line("  [member: string]: unknown;")
	w.line("}")

	w.line("")
	w.line("/** The default name of each event, by its key. */")
	w.line("export const EventNames = {")
	for key := range events.Keys() {
		w.line("  %s: %q,", key, key.DefaultName())
	}
	w.line("} as const;")
	w.line("")
	w.line("export type EventKey = keyof typeof EventNames;")

	w.line("")
	w.line("/** The events that a client sends, by default name. */")
	w.direction("ToServer", c.events, true)
	w.line("")
	w.line("/** The events that the server sends, by default name. */")
	w.direction("FromServer", c.events, false)
	w.line("")
	w.line("/** Both directions. */")
	w.line("export interface ChatEvents extends ToServer, FromServer {}")
	w.line("")
	w.line("/** An event map for socket.io: new Server<Listeners<ToServer>, Listeners<FromServer>>(). */")
	w.line("export type Listeners<Map> = {")
	w.line("  [Name in keyof Map]: (payload: Map[Name], acknowledge?: (reply?: unknown) => void) => void;")
	w.line("};")
	return w.Bytes()
}

type typescript struct{ bytes.Buffer }

func (w *typescript) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

func (w *typescript) comment(text string) { w.line("/** %s */", text) }

func (w *typescript) object(t reflect.Type, comment string) {
	w.line("")
	w.comment(comment)
	base := ""
	if hasEnvelope(t) {
		base = " extends Envelope"
	}
	w.line("export interface %s%s {", t.Name(), base)
	w.members(members(t))
	w.line("}")
}

func (w *typescript) members(all []member) {
	for _, m := range all {
		mark := "?"
		if m.required {
			mark = ""
		}
		w.line("  %s%s: %s;", m.name, mark, m.typescript())
	}
}

func (w *typescript) direction(name string, all []event, toServer bool) {
	w.line("export interface %s {", name)
	for _, e := range all {
		payload := e.payload
		switch payload {
		case namesType:
			payload = "Partial<Record<EventKey, string>>"
		case anyType:
			payload = "unknown"
		}
		if e.toServer == toServer {
			w.line("  %q: %s;", e.name, payload)
		}
	}
	w.line("}")
}

func (m member) typescript() string {
	if m.allowed == nil {
		return typescriptOf(m.typ)
	}
	var values []string
	for _, v := range m.allowed {
		if m.typ.Kind() == reflect.String {
			v = strconv.Quote(v)
		}
		values = append(values, v)
	}
	return strings.Join(values, " | ")
}

func typescriptOf(t reflect.Type) string {
	switch {
	case t == idType:
		return "ID"
	case t == timeType:
		return "string"
	case t == rawType, t.Kind() == reflect.Interface:
		return "unknown"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Int, reflect.Int64, reflect.Float64:
		return "number"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		return typescriptOf(t.Elem()) + "[]"
	case reflect.Pointer:
		return typescriptOf(t.Elem())
	}
	return t.Name()
}
