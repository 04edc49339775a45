package events

import (
	"bytes"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// value is one JSON value, known to be well formed: a jsontext.Decoder has read
// it. That is what lets the functions below look for ends only, without a check
// for a byte that cannot be there.
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

// text is what the string v says. Whatever is not valid Unicode reads as U+FFFD.
func (v value) text() string {
	if v.plain || bytes.IndexByte(v.raw, '\\') < 0 && utf8.Valid(v.raw) {
		return string(v.raw[1 : len(v.raw)-1])
	}
	var short [64]byte
	text, _ := jsontext.AppendUnquote(short[:0], v.raw) // the error reports U+FFFD put in
	return string(text)
}

// nextValue is the value that begins at b[i], and the index where it ends.
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

// stringEnd is the index after the string that begins at b[i], and whether it
// is plain.
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

// skip passes over white space and the delimiters between values.
func skip(b []byte, i int) int {
	for b[i] <= ' ' || b[i] == ',' || b[i] == ':' {
		i++
	}
	return i
}
