package chatnats

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"github.com/seed67206a74/parley/events"
)

// A chat's id is encoded as one token of a subject, which is also part of a
// key. A string of letters, digits, - and _ is not changed. Any other string is
// written in base64 after a slash. An integer is written after an equals sign,
// so that "5" and 5 are two chats. A single equals sign means no chat. An id
// longer than longestID is replaced by its hash, because the server closes a
// connection that sends a long subject. HeaderChat then has the id.
const (
	encodedString = "/"
	encodedNumber = "="
	encodedHash   = "=/"

	longestID = 128 // bytes
)

// hashed reports whether a token has the hash of a chat's id.
func hashed(token string) bool { return strings.HasPrefix(token, encodedHash) }

// plain reports whether a string needs no encoding. It is called for each
// event, so it uses no regexp.
func plain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return s != "" && len(s) <= longestID
}

// tokenOf returns the token of a chat.
func tokenOf(id events.ID) string {
	text := id.String()
	switch {
	case id.IsZero():
		return encodedNumber
	case len(text) > longestID:
		kind := "number/"
		if id == events.StringID(text) {
			kind = "string/"
		}
		sum := sha256.Sum256([]byte(kind + text))
		return encodedHash + base64.RawURLEncoding.EncodeToString(sum[:])
	case id != events.StringID(text):
		return encodedNumber + text
	case plain(text):
		return text
	default:
		return encodedString + base64.RawURLEncoding.EncodeToString([]byte(text))
	}
}

var errToken = errors.New("chatnats: not the token of a chat")

// chatOf returns the chat of a token that is not a hash.
func chatOf(token string) (events.ID, error) {
	if digits, ok := strings.CutPrefix(token, encodedNumber); ok {
		if digits == "" {
			return events.ID{}, nil
		}
		var id events.ID
		if err := id.UnmarshalJSON([]byte(digits)); err != nil || tokenOf(id) != token {
			return events.ID{}, errToken
		}
		return id, nil
	}
	if plain(token) {
		return events.StringID(token), nil
	}
	text, encoded := strings.CutPrefix(token, encodedString)
	if encoded {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return events.ID{}, errToken
		}
		text = string(raw)
	}
	if id := events.StringID(text); tokenOf(id) == token {
		return id, nil
	}
	return events.ID{}, errToken
}

// An event is published under prefix.chat.KEY and stored under
// prefix.partition.chat.KEY. The next functions return filters for the stored
// subjects.

func (b *Bus) partition(n int) string { return b.prefix + "." + strconv.Itoa(n) + ".>" }

func (b *Bus) chat(id events.ID) string { return b.prefix + ".*." + tokenOf(id) + ".*" }

// parseSubject returns the chat's token and the kind of an event from the
// subject under which it is stored.
func parseSubject(subject string) (token string, key events.Key, err error) {
	parts := strings.SplitN(subject, ".", 5)
	if len(parts) != 4 {
		return "", "", errors.New("chatnats: not the subject of an event")
	}
	return parts[2], events.Key(parts[3]), nil
}
