// Package deep is internal: its types are listed where they are reached.
package deep

type Session struct {
	ID   string
	Peer *Peer
	next *Session
}

func (s *Session) Close() error { return nil }

type Peer struct{ Name string }

type Unreached struct{ Name string }

// Name is an alias that users cannot name.
type Name = string

const Limit = 8
