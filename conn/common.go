package conn

// A commonDecoder is a type that decodes the common form of its JSON object in
// one pass, as [events.AIToken.UnmarshalCommon] does. Other JSON is left to the
// decoder.
type commonDecoder interface {
	UnmarshalCommon(b []byte, intern func([]byte) string) (n int, ok bool)
}

// common implements first for the common form of an event: the array has no
// white space, and the text of its name and of other arguments has no escapes.
func (d *decoder) common(b body, skip int, v any) bool {
	into, ok := v.(commonDecoder)
	if !ok || b.attachments != nil {
		return false
	}
	rest := b.data[1:] // after the opening bracket
	for range skip {
		n := plainText(rest)
		if n == len(rest) || rest[n] != ',' {
			return false
		}
		rest = rest[n+1:]
	}
	if len(rest) == 0 || rest[0] != '{' {
		return false
	}
	if d.intern == nil {
		d.intern = new(texts).intern
	}
	n, ok := into.UnmarshalCommon(rest, d.intern)
	if !ok {
		return false
	}
	rest = rest[n:]
	if len(rest) > 0 && rest[0] == ',' { // the offset of connection state recovery
		rest = rest[1+plainText(rest[1:]):]
	}
	return len(rest) == 1 && rest[0] == ']'
}

// plainText returns the length of the string at the beginning of b, or len(b)
// if there is none without escapes.
func plainText(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return len(b)
	}
	for i, c := range b[1:] {
		if c == '"' {
			return i + 2
		} else if c < ' ' || c == '\\' {
			break
		}
	}
	return len(b)
}

// texts are the last texts that are likely to repeat, so that each is allocated
// once. Their number and length are limited.
type texts struct {
	list [16]string
	next int // to replace
}

// maxInterned is the length of the longest text that texts keeps.
const maxInterned = 64

func (t *texts) intern(b []byte) string {
	for i := range t.list {
		if t.list[i] == string(b) {
			return t.list[i]
		}
	}
	text := string(b)
	if len(b) <= maxInterned {
		t.list[t.next] = text
		t.next = (t.next + 1) % len(t.list)
	}
	return text
}
