package chatnats

import (
	"strings"
	"testing"

	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/require"
)

func TestTokenOf_roundTripsChatIDs(t *testing.T) {
	t.Parallel()
	for token, id := range map[string]events.ID{
		"room-1":      events.StringID("room-1"),
		"5":           events.StringID("5"),
		"=5":          events.IntID(5),
		"=-5":         events.IntID(-5),
		"=":           {},
		"/":           events.StringID(""),
		"/cm9vbSAx":   events.StringID("room 1"),
		"/Kg":         events.StringID("*"),
		"/YS5i":       events.StringID("a.b"),
		"/PTU":        events.StringID("=5"),
		"/8J-mnA":     events.StringID("🦜"),
		"/L2NtOXZiUw": events.StringID("/cm9vbS"),
	} {
		t.Run(token, func(t *testing.T) {
			require.Equal(t, token, tokenOf(id))
			back, err := chatOf(token)
			require.NoError(t, err)
			require.Equal(t, id, back)
		})
	}
	for _, token := range []string{"", "=x", "=05", "=1.5", "/cm9vbS0x", "/!", "a b"} {
		_, err := chatOf(token)
		require.Error(t, err, token)
	}
}

func FuzzToken(f *testing.F) {
	for _, seed := range []string{"room-1", "", "a.b", "* >", "=5", "/Kg", "\xff", strings.Repeat("x", 300)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token := tokenOf(events.StringID(text))
		if token == "" || strings.ContainsAny(token, " .*>\t\r\n") {
			t.Fatalf("%q is no token of a subject", token)
		}
		if hashed(token) {
			return
		}
		if back, err := chatOf(token); err != nil || back != events.StringID(text) {
			t.Fatalf("%q became %v, %v", text, back, err)
		}
		if id, err := chatOf(text); err == nil && tokenOf(id) != text {
			t.Fatalf("%q is read as the token of %v", text, id)
		}
	})
}

func FuzzParseSubject(f *testing.F) {
	f.Add("parley.3.room-1.AI_TOKEN")
	f.Add("parley.x.room-1.AI_TOKEN")
	f.Add("parley.3.=5.AI_TOKEN.more")
	f.Fuzz(func(t *testing.T, subject string) {
		if token, key, err := parseSubject(subject); err == nil && !strings.HasSuffix(subject, "."+token+"."+string(key)) {
			t.Fatalf("%q and %q are not of %q", token, key, subject)
		}
	})
}
