package chathttp

import "hash/maphash"

// seed makes the sums of texts comparable within the process.
var seed = maphash.MakeSeed()

// A textSum is the sum of the texts of the tokens. It replaces a copy of the
// text for each reader.
type textSum struct {
	hash  maphash.Hash
	bytes int
}

func (s *textSum) add(text string) {
	if s.bytes == 0 {
		s.hash.SetSeed(seed)
	}
	_, _ = s.hash.WriteString(text) // never fails
	s.bytes += len(text)
}

func (s *textSum) empty() bool { return s.bytes == 0 }

// differs reports whether the tokens are not the parts of text.
func (s *textSum) differs(text string) bool {
	return len(text) != s.bytes || text != "" && maphash.String(seed, text) != s.hash.Sum64()
}

// toolNames holds the ids of the tool calls so far, with the names of the
// tools.
type toolNames map[string]string

func (t toolNames) has(id string) bool {
	_, ok := t[id]
	return ok
}

func (t *toolNames) add(id, name string) {
	if *t == nil {
		*t = toolNames{}
	}
	(*t)[id] = name
}
