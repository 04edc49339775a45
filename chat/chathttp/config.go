package chathttp

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/seed67206a74/parley/events"
)

// Defaults of [Config].
const (
	DefaultReplayTime           = time.Minute
	DefaultMaxReplayBytes       = 64 << 20
	DefaultMaxBody              = 4 << 20
	DefaultMaxStreams           = 10_000
	DefaultMaxStreamsPerVisitor = 16
	DefaultAskTimeout           = 30 * time.Second
	DefaultAnswerTimeout        = 30 * time.Minute
	DefaultKeepAlive            = 15 * time.Second
	DefaultWriteTimeout         = 30 * time.Second
	DefaultMaxClients           = 1000
	DefaultClientIdle           = 5 * time.Minute
)

// Config configures a Server. Authorize is required.
type Config struct {
	// Authorize returns the sender of a request. It is called for each request
	// before its body is read. After an error the response has the status 401,
	// or 403 if the error is ErrForbidden.
	Authorize func(r *http.Request) (Visitor, error)

	// Chat returns the chat of a question, a resume or a stop. The request's
	// ChatID is the id of the body, the query or the route. It is empty if the
	// browser has sent none, as with OpenAI's protocol. A resume has no Body.
	// An empty result gives a question a room of its own; it can be resumed and
	// stopped by its request id. After an error the response has the status
	// 403. Default: the request's ChatID.
	Chat func(r Request) (string, error)

	// Room returns the chat id for the backend.
	// Default: events.StringID(chat).
	Room func(visitor Visitor, chat string) events.ID

	// NoJoin asks without joining the room of a question, for backends without
	// rooms. Default: the room is joined before the question is asked. It is
	// left a minute after the last answer in it, or at once if the question had
	// a room of its own. A room that the program has joined is not left.
	NoJoin bool

	// MaxClients limits the clients of NewPerVisitor. Over it, the client that
	// has been idle for longest is closed; if none is idle, the answer ends
	// with the error code busy. Default: DefaultMaxClients.
	MaxClients int

	// ClientIdle is how long a client of NewPerVisitor stays connected without
	// an answer in flight. Default: DefaultClientIdle.
	ClientIdle time.Duration

	// OnLeave is the policy after the last reader of an answer has left. With a
	// Finder it must be ContinueOnLeave. Default: AbortOnLeave.
	OnLeave LeavePolicy

	// LeaveGrace is how long AbortOnLeave waits for another reader. Default: 0,
	// the answer is aborted at once and cannot be resumed.
	LeaveGrace time.Duration

	// ReplayTime is how long an answer that can be resumed is kept after its
	// end. Default: DefaultReplayTime; a negative value keeps none.
	ReplayTime time.Duration

	// MaxReplayBytes limits the memory of the answers that are kept after their
	// end. Over it, the oldest are dropped, first those of the user whose
	// answers need most memory. Default: DefaultMaxReplayBytes.
	MaxReplayBytes int

	// MaxBody limits the size of a request body, in bytes.
	// Default: DefaultMaxBody.
	MaxBody int64

	// MaxStreams and MaxStreamsPerVisitor each limit three numbers: of answers
	// in flight, of open responses, and of answers that are kept after their
	// end.
	// Default: DefaultMaxStreams, DefaultMaxStreamsPerVisitor.
	MaxStreams, MaxStreamsPerVisitor int

	// AskTimeout limits how long a question waits until it is sent. Comments
	// are sent in the meantime. Default: DefaultAskTimeout.
	AskTimeout time.Duration

	// AnswerTimeout limits the time from a question to the end of its answer.
	// Default: DefaultAnswerTimeout.
	AnswerTimeout time.Duration

	// KeepAlive is the time of silence after which a response gets a comment.
	// Default: DefaultKeepAlive.
	KeepAlive time.Duration

	// WriteTimeout limits each write of a response. A reader that does not read
	// for this long is disconnected. It replaces the WriteTimeout of
	// http.Server. Default: DefaultWriteTimeout.
	WriteTimeout time.Duration

	// ShowErrors sends the texts and details of errors to visitors. Default: a
	// visitor gets the code of an error and a general text.
	ShowErrors bool

	// CrossOrigin decides about requests of other origins that ask or stop.
	// Default: they are refused with the status 403.
	CrossOrigin *http.CrossOriginProtection

	// Logger logs failed answers, whose texts visitors do not see.
	// Default: slog.Default().
	Logger *slog.Logger
}

// A Visitor is the sender of a request.
type Visitor struct {
	// UserID is the user of the visitor's questions. Answers belong to it:
	// another user cannot resume or stop them.
	UserID events.ID

	// MayUse reports whether the visitor may use a chat. Default: no chat.
	MayUse func(chat string) bool
}

// A Request is a question, a resume or a stop of a browser.
type Request struct {
	*http.Request // its body has been read

	Visitor Visitor
	ChatID  string // of the request's body, query or route; may be empty
	Body    []byte

	own bool // ChatID is a new chat for this question only
}

// A LeavePolicy decides about an answer whose last reader has left.
type LeavePolicy int

const (
	// AbortOnLeave aborts the answer after Config.LeaveGrace.
	AbortOnLeave LeavePolicy = iota

	// ContinueOnLeave lets the answer continue. It can be resumed until
	// Config.ReplayTime after its end, and only Server.Stop stops it.
	ContinueOnLeave
)

// ErrForbidden is returned by Config.Authorize for a visitor who is known and
// may not use the server.
var ErrForbidden = errors.New("chathttp: forbidden")

// ErrNoAuthorize is returned by New for a Config without Authorize.
var ErrNoAuthorize = errors.New("chathttp: Config.Authorize is required")

// ErrFinderAborts is returned by New for a Finder without ContinueOnLeave. A
// Server does not know the readers of other Servers, and would abort the
// answers that they read.
var ErrFinderAborts = errors.New("chathttp: a Finder requires ContinueOnLeave")

// ErrClosed is the error of requests after Server.Close.
var ErrClosed = errors.New("chathttp: the server is closed")

func (c *Config) setDefaults() {
	setDefault(&c.ReplayTime, DefaultReplayTime)
	setDefault(&c.MaxReplayBytes, DefaultMaxReplayBytes)
	setDefault(&c.MaxBody, DefaultMaxBody)
	setDefault(&c.MaxStreams, DefaultMaxStreams)
	setDefault(&c.MaxStreamsPerVisitor, DefaultMaxStreamsPerVisitor)
	setDefault(&c.AskTimeout, DefaultAskTimeout)
	setDefault(&c.AnswerTimeout, DefaultAnswerTimeout)
	setDefault(&c.KeepAlive, DefaultKeepAlive)
	setDefault(&c.WriteTimeout, DefaultWriteTimeout)
	setDefault(&c.MaxClients, DefaultMaxClients)
	setDefault(&c.ClientIdle, DefaultClientIdle)
	setDefault(&c.CrossOrigin, http.NewCrossOriginProtection())
	setDefault(&c.Logger, slog.Default())
	if c.Chat == nil {
		c.Chat = func(r Request) (string, error) { return r.ChatID, nil }
	}
	if c.Room == nil {
		c.Room = func(_ Visitor, chat string) events.ID { return events.StringID(chat) }
	}
}

// resumable reports whether an answer outlives its last reader.
func (c *Config) resumable() bool { return c.OnLeave == ContinueOnLeave || c.LeaveGrace > 0 }

func setDefault[T comparable](field *T, value T) {
	if zero := *new(T); *field == zero {
		*field = value
	}
}
