package chattest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// patience is how long Expect waits.
const patience = 10 * time.Second

// A TB is what Expect needs of a *testing.T or a *testing.B.
type TB interface {
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
}

// Expect waits for the next event of a name, as [Server.Next] does, and fails the test if none comes within 10 seconds, or
// if the payload of the one that comes, its first argument, is not the one that is wanted. What is wanted is anything that
// encoding/json encodes. Of an object only the members that are named are
// compared, so that ids made by the client need not be known; nil lets any payload pass.
//
//	server.Expect(t, "chat:join", map[string]any{"chatId": "room-1"})
func (s *Server) Expect(t TB, name string, payload any) Received {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := s.Next(ctx, name)
	if err != nil {
		t.Fatalf("chattest: no %s has come (%v), but:%s", name, err, s.received())
		return r
	}
	if payload == nil {
		return r
	}
	wanted, err := json.Marshal(payload)
	if err != nil {
		t.Fatalf("chattest: what is expected of %s: %v", name, err)
		return r
	}
	if diff := difference(valueOf(wanted), valueOf(r.payload())); diff != "" {
		t.Fatalf("chattest: %s has come, but %s\nwanted: %s\n  came: %s", name, diff, wanted, r.payload())
	}
	return r
}

// received lists what has been received, for people.
func (s *Server) received() string {
	var lines strings.Builder
	for _, r := range s.Received() {
		fmt.Fprintf(&lines, "\n\t%s", r)
	}
	if lines.Len() == 0 {
		return " nothing at all"
	}
	return lines.String()
}

// difference says in what a payload is not the one that is wanted; "" if it is.
func difference(wanted, came any) string {
	members, ok := wanted.(map[string]any)
	object, isObject := came.(map[string]any)
	if !ok || !isObject {
		if reflect.DeepEqual(wanted, came) {
			return ""
		}
		return "is another"
	}
	for name, value := range members {
		if got, ok := object[name]; !ok {
			return fmt.Sprintf("without %q", name)
		} else if !reflect.DeepEqual(value, got) {
			return fmt.Sprintf("with another %q", name)
		}
	}
	return ""
}

// valueOf is what a JSON text says, its numbers with every digit.
func valueOf(text json.RawMessage) (v any) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	_ = d.Decode(&v) // it is JSON
	return v
}
