package socketio

import (
	"bytes"
	"cmp"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// LastMembers returns JSON without the members that JSON.parse drops: of the
// members of an object with the same name it keeps the last. The JSON packages
// merge the values of such members instead. If there are none, the result is
// data itself, and usually nothing is allocated. LastMembers does not change
// data, and does not detect invalid JSON.
func LastMembers(data []byte) []byte {
	var (
		membersBuffer [16]member
		openBuffer    [8]nesting

		members = membersBuffer[:0] // of all open objects
		open    = openBuffer[:0]    // objects and arrays, the innermost last
		named   bool                // the next string is the name of a member
		cuts    []span
	)
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			end := stringEnd(data, i)
			if named {
				named = false
				object := &open[len(open)-1]
				name := unquoted(data[i:end])
				if was := object.find(members, name); was >= 0 {
					next := i
					if was+1 < len(members) {
						next = members[was+1].start
					}
					cuts = append(cuts, span{members[was].start, next})
				}
				members = append(members, member{name, i})
				object.index(members)
			}
			i = end - 1
		case '{':
			open = append(open, nesting{isObject: true, first: len(members)})
			named = true
		case '[':
			open = append(open, nesting{first: len(members)})
		case ',':
			named = len(open) > 0 && open[len(open)-1].isObject
		case '}', ']':
			if len(open) == 0 {
				return data // invalid JSON
			}
			members = members[:open[len(open)-1].first]
			open = open[:len(open)-1]
			named = false
		}
	}
	return without(data, cuts)
}

// A member is the name of a member of an object, and its place in the JSON.
type member struct {
	name  []byte
	start int
}

// nesting is an object or array that is open.
type nesting struct {
	isObject bool
	first    int            // index of the object's first member
	byName   map[string]int // the indices of the members, for an object with many
}

// manyMembers is the number of members from which on a map finds a name faster.
const manyMembers = 16

// find returns the index of the last member with the name, or -1.
func (n *nesting) find(members []member, name []byte) int {
	if n.byName != nil {
		if i, found := n.byName[string(name)]; found {
			return i
		}
		return -1
	}
	for i := len(members) - 1; i >= n.first; i-- {
		if bytes.Equal(members[i].name, name) {
			return i
		}
	}
	return -1
}

// index adds the last member to the map, which it creates for the members of
// the object if there are many.
func (n *nesting) index(members []member) {
	from := len(members) - 1
	if n.byName == nil {
		if len(members)-n.first < manyMembers {
			return
		}
		n.byName, from = map[string]int{}, n.first
	}
	for i := from; i < len(members); i++ {
		n.byName[string(members[i].name)] = i
	}
}

// A span is a part of the JSON, from start up to end.
type span struct{ start, end int }

// without returns data without the spans, which may contain each other.
func without(data []byte, cuts []span) []byte {
	if cuts == nil {
		return data
	}
	slices.SortFunc(cuts, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	rest := make([]byte, 0, len(data))
	at := 0
	for _, c := range cuts {
		rest = append(rest, data[min(at, c.start):c.start]...)
		at = max(at, c.end)
	}
	return append(rest, data[at:]...)
}

// stringEnd returns the index after the string that begins at data[i].
func stringEnd(data []byte, i int) int {
	for i++; ; {
		found := bytes.IndexByte(data[i:], '"')
		if found < 0 {
			return len(data)
		}
		i += found + 1
		escapes := i - 1
		for data[escapes-1] == '\\' {
			escapes--
		}
		if (i-1-escapes)%2 == 0 {
			return i
		}
	}
}

// unquoted returns the text of a string, with U+FFFD for invalid Unicode.
func unquoted(quoted []byte) []byte {
	if len(quoted) < 2 {
		return nil // invalid JSON
	}
	name := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(name, '\\') < 0 && utf8.Valid(name) {
		return name
	}
	// The error only reports invalid Unicode.
	name, _ = jsontext.AppendUnquote(nil, quoted)
	return name
}
