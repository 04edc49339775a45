package chatnats

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"

	"github.com/seed67206a74/parley/events"
)

// identify returns the id by which the stream recognises a repetition, from
// this forwarder or from another one in the same chat. It is a hash of the
// chat, the kind, the event's own ids and its content, each with its length.
// Times, usage and traces are not part of it, because a backend may change them
// when it repeats an event.
//
// An event without ids gets a unique id.
func (e *encoder) identify(event events.Event, chat string) string {
	e.fields = e.fields[:0]
	e.add(chat)
	e.add(string(event.Key()))
	known := false
	switch event := event.(type) {
	case events.AIToken:
		if known = event.RequestID != ""; known {
			e.add(event.RequestID)
			e.number(uint64(event.Index))
			e.number(e.versions.of(chat, event))
			e.add(event.Token)
		}
	case events.AIMessage:
		if known = event.MessageID != ""; known {
			e.add(event.RequestID)
			e.add(event.MessageID)
			e.add(event.Role)
			e.add(event.Text)
			for _, option := range event.Options {
				e.add(option)
			}
		}
	case events.ChatMessage:
		if known = event.MessageID != ""; known {
			e.add(event.MessageID)
			e.add(event.Text)
		}
	case events.AIToolCall:
		if known = event.CallID != ""; known {
			e.add(event.RequestID)
			e.add(event.CallID)
			e.add(event.ToolName)
			e.add(string(event.Args))
		}
	case events.AIToolResult:
		if known = event.CallID != ""; known {
			e.add(event.RequestID)
			e.add(event.CallID)
			e.add(string(event.Result))
		}
	}
	if !known {
		e.count++
		e.add(e.id)
		e.number(e.count)
	}
	sum := sha256.Sum256(e.fields)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func (e *encoder) add(field string) {
	e.fields = binary.AppendUvarint(e.fields, uint64(len(field)))
	e.fields = append(e.fields, field...)
}

func (e *encoder) number(n uint64) { e.fields = binary.AppendUvarint(e.fields, n) }

const (
	maxRequests = 4096    // whose tokens are remembered
	maxTokens   = 1 << 18 // remembered, of all requests together
	maxAhead    = 1024    // a token further ahead of its request is not remembered
)

// versions distinguishes several answers under one request id. When a token
// arrives again with other text, a new version starts. From then on no token
// counts as a repetition of a token of the previous version. Only the newest
// requests are remembered. The zero value is ready to use.
type versions struct {
	requests map[requestKey]*version
	order    []requestKey // by age
	tokens   int
}

type requestKey struct{ chat, request string }

type version struct {
	id     uint64   // 0 for the first one, then the hash of the token that started it
	tokens []uint64 // hashes by index; 0 for a token that has not arrived
}

// of returns the id of the version that a token belongs to.
func (a *versions) of(chat string, token events.AIToken) uint64 {
	key := requestKey{chat, token.RequestID}
	r := a.requests[key]
	if r == nil {
		if a.requests == nil {
			a.requests = map[requestKey]*version{}
		}
		r = &version{}
		a.requests[key] = r
		a.order = append(a.order, key)
	}
	if i := token.Index; i >= 0 && i <= len(r.tokens)+maxAhead {
		hash := hashOf(token)
		if i < len(r.tokens) && r.tokens[i] != 0 && r.tokens[i] != hash {
			r.id = hash
			a.tokens -= len(r.tokens) - i
			r.tokens = r.tokens[:i]
		}
		for len(r.tokens) <= i {
			r.tokens = append(r.tokens, 0)
			a.tokens++
		}
		r.tokens[i] = hash
	}
	for len(a.order) > 1 && (a.tokens > maxTokens || len(a.order) > maxRequests) {
		oldest := a.order[0]
		a.order = a.order[1:]
		a.tokens -= len(a.requests[oldest].tokens)
		delete(a.requests, oldest)
	}
	return r.id
}

// hashOf returns the same value in every process, and never 0.
func hashOf(token events.AIToken) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(binary.AppendUvarint(nil, uint64(token.Index)))
	_, _ = h.Write([]byte(token.Token))
	return h.Sum64() | 1
}
