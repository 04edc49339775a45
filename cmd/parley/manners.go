package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// answerQuiet is how long doctor waits for the next event of an answer.
const answerQuiet = 30 * time.Second

// manners describes how a backend sends an answer.
type manners struct {
	Events       []string      `json:"events"` // the names, in the order of arrival
	Tokens       int           `json:"tokens"`
	Index        string        `json:"index"` // how tokens are numbered
	RequestIDs   string        `json:"requestIds"`
	Acknowledged bool          `json:"acknowledged"` // of the question
	FirstToken   time.Duration `json:"firstTokenNs,omitempty"`
	Failure      string        `json:"failure,omitempty"` // the backend's error
	Config       string        `json:"streamConfig,omitempty"`

	indices       []int // -1 without one
	with, without map[string]bool
	complete      bool
}

// question asks a question and observes the answer.
func question(ctx context.Context, o *options, config conn.Config, n names) (*manners, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := conn.New(o.args[0], config)
	if err != nil {
		return nil, err
	}
	raw := c.Raw.Chan(ctx, bus.Limit(1<<16))
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }() // ends with c.Close
	defer func() {
		c.Close()
		<-ended
	}()
	if err := c.Ready(ctx); err != nil {
		return nil, err
	}
	id := rand.Text()
	if err := c.Emit(ctx, n.name(events.KeyJoin), map[string]any{"chatId": o.chat}); err != nil {
		return nil, err
	}
	asked := time.Now()
	acknowledged := make(chan bool, 1)
	go func() { // ends with ctx
		_, err := conn.Call[conn.Args](ctx, c, n.name(events.KeyUserMessage), events.UserMessage{
			ChatID: events.StringID(o.chat), UserID: events.StringID(o.user), MessageID: id, RequestID: id, Text: o.question,
		})
		acknowledged <- err == nil
	}()
	m := &manners{with: map[string]bool{}, without: map[string]bool{}}
	for !m.complete {
		select {
		case m.Acknowledged = <-acknowledged:
		case event, open := <-raw:
			if !open {
				return m.finish(), errors.New("the connection was lost during the answer")
			}
			m.observe(event, n, id, time.Since(asked))
		case <-time.After(answerQuiet):
			return m.finish(), fmt.Errorf("no event of the answer for %v", answerQuiet)
		case <-ctx.Done():
			return m.finish(), errors.New("interrupted")
		}
	}
	return m.finish(), nil
}

// observe adds one event that arrived some time after the question.
func (m *manners) observe(e conn.Event, n names, id string, after time.Duration) {
	if !slices.Contains(m.Events, e.Name) {
		m.Events = append(m.Events, e.Name)
	}
	var payload struct {
		RequestID json.RawMessage `json:"requestId"`
		Index     *int            `json:"index"`
		Message   string          `json:"message"`
	}
	if len(e.Args) > 0 {
		_ = json.Unmarshal(e.Args[0], &payload) // another shape has no request id
	}
	switch e.Name {
	case n.name(events.KeyAIToken):
		if m.Tokens++; m.Tokens == 1 {
			m.FirstToken = after
		}
		index := -1
		if payload.Index != nil {
			index = *payload.Index
		}
		m.indices = append(m.indices, index)
	case n.name(events.KeyAIMessage):
		m.complete = true
	case n.name(events.KeyAIError):
		m.complete, m.Failure = true, payload.Message
		if m.Failure == "" && len(e.Args) > 0 {
			m.Failure = string(e.Args[0])
		}
	case n.name(events.KeyAIProcessing), n.name(events.KeyAIToolCall), n.name(events.KeyAIToolResult):
	default:
		return // not part of an answer
	}
	if strings.Trim(string(payload.RequestID), `"`) == id {
		m.with[e.Name] = true
	} else {
		m.without[e.Name] = true
	}
}

// finish fills the fields that depend on all events.
func (m *manners) finish() *manners {
	m.Index = scheme(m.indices)
	m.Config = m.streamConfig()
	switch {
	case len(m.with) == 0 && len(m.without) == 0:
		m.RequestIDs = "no event of an answer arrived"
	case len(m.without) == 0:
		m.RequestIDs = "in every event of the answer"
	case len(m.with) == 0:
		m.RequestIDs = "in no event: ask one question at a time in a room"
	default:
		m.RequestIDs = "not in every " + strings.Join(slices.Sorted(maps.Keys(m.without)), ", ")
	}
	return m
}

// scheme describes how tokens are numbered.
func scheme(indices []int) string {
	switch {
	case len(indices) == 0:
		return "no token arrived"
	case !slices.ContainsFunc(indices, func(i int) bool { return i >= 0 }):
		return "none"
	case slices.Min(indices) < 0:
		return "in some tokens only"
	}
	restarts := false
	for i := range len(indices) - 1 {
		restarts = restarts || indices[i+1] == indices[0]
	}
	switch first := indices[0]; {
	case restarts:
		return fmt.Sprintf("restarts at %d", first)
	case first == 0 || first == 1:
		return fmt.Sprintf("from %d", first)
	default:
		return fmt.Sprintf("from %d, not from 0: tokens are missing, or the scheme is another", first)
	}
}

// streamConfig returns the chat.StreamConfig that fits the answer, as Go
// source. It is "" if no token arrived.
func (m *manners) streamConfig() string {
	switch {
	case m.Tokens == 0:
		return ""
	case m.Index == "none":
		return "chat.StreamConfig{Index: chat.IndexNone}"
	case m.Index == "from 1":
		return "chat.StreamConfig{Index: chat.IndexFromOne}"
	case strings.HasPrefix(m.Index, "restarts"):
		return "chat.StreamConfig{Index: chat.IndexRestarts}"
	}
	return "chat.StreamConfig{}, the default"
}

func (m *manners) print(row func(name, format string, args ...any)) {
	row("answer", "%d tokens; events: %s", m.Tokens, clean(strings.Join(m.Events, ", ")))
	if m.Tokens > 0 {
		row("first token", "after %v", m.FirstToken.Round(time.Millisecond))
	}
	if m.Failure != "" {
		row("error", "%s", clean(m.Failure))
	}
	row("requestId", "%s", m.RequestIDs)
	row("index", "%s", m.Index)
	row("acknowledged", "%s", yes(m.Acknowledged, "yes, chat.Client.Deliver works", "no, or not before the answer ended"))
	if m.Config != "" {
		row("StreamConfig", "%s", m.Config)
	}
}
