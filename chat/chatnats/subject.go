package chatnats

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"github.com/seed67206a74/parley/events"
)

// A chat's id is one token of a subject, and part of a key. Ids that are
// strings of harmless characters stand for themselves; any other string is
// written in base64 behind a slash, and an integer behind an equals sign, so that
// "5" and 5 stay two chats. A lone equals sign is no chat.
const (
	encodedString = "/"
	encodedNumber = "="
)

// plain reports whether a string can stand for itself. It is on the path of
// each event.
func plain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return s != "" && len(s) <= 128
}

// tokenOf returns the token of a chat.
func tokenOf(id events.ID) string {
	text := id.String()
	switch {
	case id.IsZero():
		return encodedNumber
	case id != events.StringID(text):
		return encodedNumber + text
	case plain(text):
		return text
	default:
		return encodedString + base64.RawURLEncoding.EncodeToString([]byte(text))
	}
}

var errToken = errors.New("chatnats: not the token of a chat")

// chatOf returns the chat of a token.
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

// subject is what an event is published under: prefix.chat.KEY.
func (b *Bus) subject(chat events.ID, key events.Key) string {
	return b.prefix + "." + tokenOf(chat) + "." + string(key)
}

// The stream keeps it as prefix.partition.chat.KEY; what follows are filters
// for that.

func (b *Bus) partition(n int) string { return b.prefix + "." + strconv.Itoa(n) + ".>" }

func (b *Bus) chat(id events.ID) string { return b.prefix + ".*." + tokenOf(id) + ".*" }

// parseSubject takes apart what the stream has kept an event under.
func parseSubject(subject string) (partition int, chat events.ID, key events.Key, err error) {
	_, rest, _ := strings.Cut(subject, ".")
	number, rest, _ := strings.Cut(rest, ".")
	token, last, whole := strings.Cut(rest, ".")
	if partition, err = strconv.Atoi(number); err != nil || !whole || strings.Contains(last, ".") {
		return 0, events.ID{}, "", errors.New("chatnats: not the subject of an event")
	}
	chat, err = chatOf(token)
	return partition, chat, events.Key(last), err
}
