package chat

import (
	"context"
	"time"
)

// Defaults of [StreamConfig].
const (
	DefaultFirstTokenTimeout = 2 * time.Minute
	DefaultIdleTimeout       = time.Minute
	DefaultOfflineTimeout    = 30 * time.Second
	DefaultLostTimeout       = 15 * time.Second
	DefaultAbandonedTimeout  = 5 * time.Second
	DefaultGapTimeout        = 2 * time.Second
	DefaultReorderLimit      = 1024
)

// StreamConfig configures how a Stream orders the tokens of its answer, and its
// timeouts. A negative value means no limit.
type StreamConfig struct {
	// FirstTokenTimeout ends a Stream with ErrNoToken when neither a token nor
	// the message has arrived within this time after the question was sent.
	// Default: DefaultFirstTokenTimeout.
	FirstTokenTimeout time.Duration

	// IdleTimeout ends a Stream with ErrStalled when no event of its answer has
	// arrived for this long while the client was connected.
	// Default: DefaultIdleTimeout.
	IdleTimeout time.Duration

	// OfflineTimeout ends the open Streams with ErrOffline when the client has
	// had no connection for this long. Default: DefaultOfflineTimeout.
	OfflineTimeout time.Duration

	// LostTimeout is how long a Stream waits for the first event of its answer
	// after a reconnect that did not resume the session of the question. Then
	// OnLost applies. A Stream of which any event has arrived has no such
	// limit. Default: DefaultLostTimeout.
	LostTimeout time.Duration

	// OnLost is the policy after LostTimeout. Default: FailLost.
	OnLost LostPolicy

	// AbandonedTimeout is how long the answer to an abandoned question is
	// expected, from a backend that leaves requestId out. Until that answer has
	// ended, Ask waits before it sends the next question of the chat, but no
	// longer than this. The same applies to the possible answers to messages of
	// SendMessage, Deliver and other members of the chat.
	// Default: DefaultAbandonedTimeout.
	AbandonedTimeout time.Duration

	// GapTimeout is how long a Stream waits for a missing token after a later
	// one has arrived. Default: DefaultGapTimeout.
	GapTimeout time.Duration

	// OnGap is the policy after GapTimeout. Default: FillGap.
	OnGap GapPolicy

	// Index is how the backend counts the tokens of an answer. If the indices
	// plainly do not fit, the Stream ends with ErrIndex. The tokens of a Stream
	// always have their position from 0 as index. Default: IndexFromZero.
	Index IndexScheme

	// ReorderLimit is how many out-of-order tokens are buffered. One more ends
	// the wait for the missing token, as GapTimeout does. With a negative
	// value, only the size of the whole answer is limited. Default:
	// DefaultReorderLimit.
	ReorderLimit int

	// Resume is called for each open Stream after a reconnect, unless the
	// server has resumed the session. It asks the backend for the tokens that
	// have not arrived, for example
	//
	//	_, err := conn.Call[any](ctx, client.Conn(), "ai:resume",
	//		map[string]any{"requestId": s.RequestID(), "after": s.Progress().Tokens - 1})
	//	return err
	//
	// Its ctx ends with the Stream and with the session. If the session ends
	// before Resume has returned, Resume is called again on the next one, so it
	// should wait for the backend's acknowledgement. An error ends the Stream.
	// Default: nil, the backend is not asked, and the Stream waits for later
	// events.
	Resume func(ctx context.Context, s *Stream) error
}

// A LostPolicy decides what happens to a Stream whose question was lost.
type LostPolicy int

const (
	// FailLost ends the Stream with ErrQuestionLost.
	FailLost LostPolicy = iota

	// AskAgain sends the question again, with the same ids. If the backend has
	// received it before, it can recognize the MessageID; otherwise it answers
	// twice. Repeated tokens of a Stream are dropped.
	AskAgain
)

// A GapPolicy decides what happens to a Stream with missing tokens.
type GapPolicy int

const (
	// FillGap waits for the final message, and delivers the rest of its text as
	// one token in place of the missing tokens. If the text does not begin with
	// the tokens before the gap, the Stream ends with a GapError.
	FillGap GapPolicy = iota

	// FailOnGap ends the Stream with a GapError.
	FailOnGap
)

// An IndexScheme is a way in which backends count the tokens of an answer.
type IndexScheme int

const (
	// IndexFromZero counts from 0, as in the contract.
	IndexFromZero IndexScheme = iota

	// IndexFromOne counts from 1.
	IndexFromOne

	// IndexRestarts counts from the first index again and again, for example
	// after each tool call: an index that is lower than the next one begins a
	// new part. Repeated tokens are not detected.
	IndexRestarts

	// IndexNone ignores the index. Tokens are in the order of their arrival,
	// and neither missing nor repeated tokens are detected.
	IndexNone
)

func (c *StreamConfig) setDefaults() {
	setDefault(&c.FirstTokenTimeout, DefaultFirstTokenTimeout)
	setDefault(&c.IdleTimeout, DefaultIdleTimeout)
	setDefault(&c.OfflineTimeout, DefaultOfflineTimeout)
	setDefault(&c.LostTimeout, DefaultLostTimeout)
	setDefault(&c.AbandonedTimeout, DefaultAbandonedTimeout)
	setDefault(&c.GapTimeout, DefaultGapTimeout)
	setDefault(&c.ReorderLimit, DefaultReorderLimit)
}
