package chatdebug

import (
	"maps"
	"slices"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
)

// The types below are the JSON of the page. Their fields are its whole content.

type snapshot struct {
	Time    time.Time `json:"time"`
	Clients []client  `json:"clients"`
}

type client struct {
	Number        int            `json:"number"`
	URL           string         `json:"url"`
	ChatID        string         `json:"chatId,omitempty"`
	Health        string         `json:"health"`
	State         change         `json:"state"`
	For           string         `json:"for"` // how long it has been Ready, or not Ready
	History       []change       `json:"history"`
	Streams       []stream       `json:"streams"`
	Subscriptions []subscription `json:"subscriptions"`
	Queues        []figure       `json:"queues"`
	Counts        []figure       `json:"counts"`
	Names         []name         `json:"names"`
}

type change struct {
	Time      time.Time `json:"time"`
	Phase     string    `json:"phase"`
	Attempt   int       `json:"attempt,omitempty"`
	Delay     string    `json:"delay,omitempty"`
	Cause     string    `json:"cause,omitempty"`
	Recovered bool      `json:"recovered,omitempty"`
	Epoch     uint64    `json:"epoch,omitempty"`
}

type stream struct {
	RequestID string `json:"requestId"`
	MessageID string `json:"messageId"`
	TraceID   string `json:"traceId,omitempty"`
	ChatID    string `json:"chatId,omitempty"`
	Phase     string `json:"phase"`
	Age       string `json:"age"`
	Idle      string `json:"idle,omitempty"`
	Tokens    int    `json:"tokens"`
	Tools     int    `json:"tools,omitempty"`
}

type subscription struct {
	Topic     string `json:"topic"`
	Name      string `json:"name,omitempty"`
	Caller    string `json:"caller"`
	Policy    string `json:"policy"`
	Limit     int    `json:"limit"`
	Slow      bool   `json:"slow"`
	Pending   int    `json:"pending"`
	HighWater int    `json:"highWater"`
	Delivered uint64 `json:"delivered"`
	Dropped   uint64 `json:"dropped"`
}

type figure struct {
	Name  string `json:"name"`
	Value uint64 `json:"value"`
}

type name struct {
	Key  string `json:"key"`
	Name string `json:"name"`
}

func newChange(at time.Time, s conn.State) change {
	c := change{Time: at, Phase: s.Phase.String(), Attempt: s.Attempt, Recovered: s.Recovered, Epoch: s.Epoch}
	if s.Delay > 0 {
		c.Delay = s.Delay.Round(time.Millisecond).String()
	}
	if s.Err != nil {
		c.Cause = s.Err.Error()
	}
	return c
}

func describe(e entry, now time.Time) client {
	in := e.client.Inspect()
	c := client{
		Number: e.number, URL: in.URL, ChatID: in.ChatID.String(), Health: "ok",
		State: newChange(in.State.Since, in.State), History: e.history,
		Streams: []stream{}, Subscriptions: []subscription{},
	}
	if err := e.client.Health(); err != nil {
		c.Health = err.Error()
	}
	if !in.State.Since.IsZero() {
		c.For = now.Sub(in.State.Since).Round(time.Millisecond).String()
	}
	for _, s := range in.Streams {
		c.Streams = append(c.Streams, describeStream(s))
	}
	for _, topic := range slices.Sorted(maps.Keys(in.Subscriptions)) {
		for _, s := range in.Subscriptions[topic] {
			c.Subscriptions = append(c.Subscriptions, subscription{
				Topic: topic, Name: s.Name, Caller: s.Caller, Policy: s.Policy.String(), Limit: s.Limit, Slow: s.Slow,
				Pending: s.Stats.Pending, HighWater: s.Stats.HighWater, Delivered: s.Stats.Delivered, Dropped: s.Stats.Dropped,
			})
		}
	}
	stats := in.Stats
	c.Queues = []figure{
		{"packets to write", uint64(stats.Conn.Queued)},
		{"bytes to write", uint64(stats.Conn.QueuedBytes)},
		{"calls that wait for an acknowledgement", uint64(stats.Conn.Waiting)},
		{"messages to deliver", uint64(stats.Delivering)},
		{"tool calls", uint64(stats.Tools)},
	}
	c.Counts = []figure{
		{"attempts", stats.Conn.Attempts},
		{"sessions", stats.Conn.Sessions},
		{"sessions resumed", stats.Conn.Recovered},
		{"packets received", stats.Conn.Received},
		{"packets sent", stats.Conn.Sent},
		{"events dropped by TryEmit", stats.Conn.Dropped},
		{"decode errors", stats.Conn.DecodeErrors},
		{"answers", stats.Answered},
		{"failed answers", stats.Failed},
	}
	for _, key := range slices.Sorted(maps.Keys(in.Names)) {
		c.Names = append(c.Names, name{string(key), in.Names[key]})
	}
	return c
}

func describeStream(s chat.StreamInfo) stream {
	d := stream{
		RequestID: s.RequestID, MessageID: s.MessageID, TraceID: s.TraceID, ChatID: s.ChatID.String(),
		Phase: s.Phase, Age: s.Age.Round(time.Millisecond).String(), Tokens: s.Tokens, Tools: s.Tools,
	}
	if s.Idle > 0 {
		d.Idle = s.Idle.Round(time.Millisecond).String()
	}
	return d
}
