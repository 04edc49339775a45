package events

import (
	"reflect"
	"unicode/utf8"
)

// The common form of a payload is JSON without white space, in which each
// member is of a field, is given once, and has the type of the contract. A
// decoder of that form needs one pass. All other payloads, and all errors, are
// left to the tolerant decoder of object.read, which returns the same for the
// common form.

// decodeCommon decodes the object at the beginning of b into the struct into.
// It returns the length of the object. ok is false if the object is not of the
// common form. into is then zero.
func (c *codec[T]) decodeCommon(b []byte, into *T, intern func([]byte) string) (n int, ok bool) {
	var zero T
	*into = zero
	n, ok = c.readCommon(b, reflect.ValueOf(into).Elem(), intern)
	if !ok {
		*into = zero
	}
	return n, ok
}

func (o *object) readCommon(b []byte, into reflect.Value, intern func([]byte) string) (end int, ok bool) {
	if len(b) == 0 || b[0] != '{' {
		return 0, false
	}
	var seen uint // bits of fields
	for i, at := 1, -1; ; i++ {
		at = o.fieldAt(b[i:], at+1)
		if at < 0 || seen&(1<<at) != 0 {
			return 0, false
		}
		seen |= 1 << at
		f := &o.fields[at]
		i += len(f.quoted)
		if i == len(b) {
			return 0, false
		}
		i, ok = f.readCommon(b, i, into.Field(f.index), intern)
		if !ok || i >= len(b) {
			return 0, false
		}
		switch b[i] {
		case ',':
		case '}':
			return i + 1, seen&o.required == o.required
		default:
			return 0, false
		}
	}
}

// fieldAt returns the index of the field whose name, quoted and with a colon,
// is at the beginning of b, or -1. It begins with the given index, because most
// members are in the order of the fields.
func (o *object) fieldAt(b []byte, first int) int {
	for i := range o.fields {
		if i += first; i >= len(o.fields) {
			i -= len(o.fields)
		}
		if quoted := o.fields[i].quoted; len(b) >= len(quoted) && string(b[:len(quoted)]) == quoted {
			return i
		}
	}
	return -1
}

// readCommon sets into to the value that begins at b[i], and returns the index
// after the value.
func (f *field) readCommon(b []byte, i int, into reflect.Value, intern func([]byte) string) (end int, ok bool) {
	switch f.form.shape {
	case aString, aText:
		text, end, ok := f.commonText(b, i, intern)
		if ok {
			into.SetString(text)
		}
		return end, ok
	case anID:
		id, _ := reflect.TypeAssert[*ID](into.Addr())
		if b[i] == '"' {
			id.kind = stringID
			id.text, end, ok = f.commonText(b, i, intern)
			return end, ok
		}
		if _, end, ok = commonInteger(b, i); ok {
			*id = ID{integerID, intern(b[i:end])}
		}
		return end, ok
	case anInteger:
		n, end, ok := commonInteger(b, i)
		if ok {
			ok = !into.OverflowInt(n)
			into.SetInt(n)
		}
		return end, ok
	case aNumber:
		n, end, ok := commonInteger(b, i)
		if ok {
			into.SetFloat(float64(n))
		}
		return end, ok
	case aBoolean:
		for _, literal := range [...]string{"false", "true"} {
			if end = i + len(literal); end <= len(b) && string(b[i:end]) == literal {
				into.SetBool(literal == "true")
				return end, true
			}
		}
	case aTime:
		if b[i] != '"' {
			return 0, false
		}
		end, plain := textEnd(b, i+1)
		if !plain {
			return 0, false
		}
		at, err := readTime(value{b[i : end+1], true})
		if err == nil {
			into.Set(reflect.ValueOf(at))
		}
		return end + 1, err == nil
	}
	return 0, false
}

// commonText returns the text of the string that begins at b[i], and the index
// after the string.
func (f *field) commonText(b []byte, i int, intern func([]byte) string) (text string, end int, ok bool) {
	if b[i] != '"' {
		return "", 0, false
	}
	i++
	end, plain := textEnd(b, i)
	switch {
	case plain && f.repeats:
		return intern(b[i:end]), end + 1, true
	case plain:
		return string(b[i:end]), end + 1, true
	}
	var short [64]byte
	unquoted := append(short[:0], b[i:end]...)
	ascii := true
	for i = end; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			if !ascii && !utf8.Valid(unquoted) {
				return "", 0, false
			}
			return string(unquoted), i + 1, true
		case c < ' ':
			return "", 0, false
		case c == '\\':
			if i++; i == len(b) || b[i] >= utf8.RuneSelf || unescaped[b[i]] == 0 {
				return "", 0, false
			}
			unquoted = append(unquoted, unescaped[b[i]])
		default:
			ascii = ascii && c < utf8.RuneSelf
			unquoted = append(unquoted, c)
		}
	}
	return "", 0, false
}

// unescaped has the characters of the escapes with one letter. The others are
// not of the common form.
var unescaped = [utf8.RuneSelf]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// textEnd returns the index of the closing quote of a text that begins at b[i].
// If the text is not plain ASCII without escapes, it returns the index of the
// first byte that is not.
func textEnd(b []byte, i int) (end int, plain bool) {
	for ; i < len(b); i++ {
		if c := b[i]; c == '"' {
			return i, true
		} else if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			return i, false
		}
	}
	return i, false
}

// commonInteger decodes the integer that begins at b[i]. It has 18 digits at
// most, so it cannot overflow.
func commonInteger(b []byte, i int) (n int64, end int, ok bool) {
	start := i
	if b[i] == '-' {
		i++
	}
	first := i
	for ; i < len(b) && '0' <= b[i] && b[i] <= '9'; i++ {
		if i-first == 18 {
			return 0, 0, false
		}
		n = 10*n + int64(b[i]-'0')
	}
	switch {
	case i == first, b[first] == '0' && i-start > 1: // no digit, a leading zero, or -0
		return 0, 0, false
	case first > start:
		n = -n
	}
	return n, i, true
}
