package chattest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// expectTimeout is how long Expect waits.
const expectTimeout = 10 * time.Second

// TB is the part of *testing.T and *testing.B that Expect needs.
type TB interface {
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
}

// Expect waits for the next event of a name, as [Server.Next] does, and
// compares its first argument with payload. It fails the test if no event comes
// within 10 seconds, or if they differ. The failure shows the expected payload,
// the received payload, and the other events that no Next has returned.
//
// A payload is any value that encoding/json encodes; a []byte only matches
// bytes. Of an object only the members in payload are compared, so a test need
// not know ids made by the client. nil matches any payload.
//
//	server.Expect(t, "chat:join", map[string]any{"chatId": "room-1"})
func (s *Server) Expect(t TB, name string, payload any) Received {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), expectTimeout)
	defer cancel()
	r, err := s.Next(ctx, name)
	if err != nil {
		t.Fatalf("chattest: no event %s: %v\n  want: %s\n   got: nothing\n  else: %s", name, err, wanted(payload), s.others(nil))
		return r
	}
	if payload == nil {
		return r
	}
	want, err := json.Marshal(payload)
	if err != nil {
		t.Fatalf("chattest: payload expected of %s: %v", name, err)
		return r
	}
	diff := difference(valueOf(want), valueOf(r.payload()))
	if _, binary := payload.([]byte); binary && diff == "" {
		if _, ok := r.Bytes(0); !ok {
			diff = "it is a string, not bytes"
		}
	}
	if diff != "" {
		t.Fatalf("chattest: event %s differs: %s\n  want: %s\n   got: %s\n  else: %s", name, diff, want, r.payload(), s.others(&r))
		return r
	}
	return r
}

func wanted(payload any) string {
	if payload == nil {
		return "any payload"
	}
	text, err := json.Marshal(payload)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// maxOthers is how many other events a failure shows.
const maxOthers = 20

// others lists the events that no Next has returned, except without, for a
// failure.
func (s *Server) others(without *Received) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, e := range s.record.entries {
		if !e.taken && (without == nil || e.event != without.event) {
			lines = append(lines, e.String())
		}
	}
	if len(lines) == 0 {
		return "nothing"
	}
	if n := len(lines) - maxOthers; n > 0 {
		lines = append([]string{fmt.Sprintf("(%d earlier events)", n)}, lines[n:]...)
	}
	return strings.Join(lines, "\n        ")
}

// difference describes how a payload differs from the expected one. It returns
// "" if they are equal.
func difference(want, got any) string {
	members, ok := want.(map[string]any)
	object, isObject := got.(map[string]any)
	if !ok || !isObject {
		if reflect.DeepEqual(want, got) {
			return ""
		}
		return "another value"
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if value, ok := object[name]; !ok {
			return fmt.Sprintf("no %q", name)
		} else if !reflect.DeepEqual(members[name], value) {
			return fmt.Sprintf("another %q", name)
		}
	}
	return ""
}

// valueOf returns the value of a JSON text, its numbers with every digit.
func valueOf(text json.RawMessage) (v any) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	_ = d.Decode(&v) // it is JSON
	return v
}
