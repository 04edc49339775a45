package events

import (
	"bytes"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// value is one well-formed JSON value, already checked by a jsontext.Decoder.
// So the functions below only look for the ends of values, and do not check for
// invalid bytes.
type value struct {
	raw   []byte
	plain bool // a string of ASCII without escapes, so that raw is its text in quotes
}

func (v value) kind() jsontext.Kind {
	if c := v.raw[0]; c == '-' || '0' <= c && c <= '9' {
		return jsontext.KindNumber
	}
	return jsontext.Kind(v.raw[0])
}

// text returns the text of the string v. Invalid Unicode becomes U+FFFD.
func (v value) text() string {
	if v.plain || bytes.IndexByte(v.raw, '\\') < 0 && utf8.Valid(v.raw) {
		return string(v.raw[1 : len(v.raw)-1])
	}
	var short [64]byte
	// The error only reports invalid Unicode.
	text, _ := jsontext.AppendUnquote(short[:0], v.raw)
	return string(text)
}

// member returns the last member of the object v with this name, or a value
// without raw.
func (v value) member(name string) (found value) {
	if v.raw == nil || v.raw[0] != '{' {
		return value{}
	}
	for b, i := v.raw, skip(v.raw, 1); b[i] != '}'; i = skip(b, i) {
		var key, member value
		key, i = nextValue(b, i)
		member, i = nextValue(b, skip(b, i))
		if key.text() == name {
			found = member
		}
	}
	return found
}

// nextValue returns the value that begins at b[i], and the index after it.
func nextValue(b []byte, i int) (v value, end int) {
	end = i
	switch b[i] {
	case '"':
		end, v.plain = stringEnd(b, i)
	case '{', '[':
		for depth := 0; ; {
			switch b[end] {
			case '"':
				end, _ = stringEnd(b, end)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			end++
			if depth == 0 {
				break
			}
		}
	default:
		for b[end] > ' ' && b[end] != ',' && b[end] != '}' && b[end] != ']' {
			end++
		}
	}
	v.raw = b[i:end]
	return v, end
}

// stringEnd returns the index after the string that begins at b[i], and whether
// the string is plain.
func stringEnd(b []byte, i int) (end int, plain bool) {
	i++
	for b[i] != '"' && b[i] != '\\' && b[i] < utf8.RuneSelf {
		i++
	}
	plain = b[i] == '"'
	for b[i] != '"' {
		if b[i] == '\\' {
			i++
		}
		i++
	}
	return i + 1, plain
}

// skip returns the index of the next byte that is not white space or a
// delimiter between values.
func skip(b []byte, i int) int {
	for b[i] <= ' ' || b[i] == ',' || b[i] == ':' {
		i++
	}
	return i
}
