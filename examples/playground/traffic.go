package main

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
)

const (
	maxFrames    = 512     // of the traffic that wait for a slow tab
	maxFrameText = 4 << 10 // bytes of a message that the traffic shows
)

// A tap is a conn.Dialer that publishes the messages of its sessions. It masks
// secrets: the payloads of CONNECT packets, and the values of headers and of
// the query.
type tap struct {
	dialer conn.Dialer
	frames bus.Topic[frame]
	count  atomic.Int64
}

// A frame is a message of a session, its dial or its end.
type frame struct {
	N      int64  `json:"n"`   // of the tab, from 1
	At     int64  `json:"at"`  // milliseconds since 1970
	Way    string `json:"way"` // dial, in, out or end
	Size   int    `json:"size"`
	Text   string `json:"text"`
	Binary bool   `json:"binary,omitempty"`
	Cut    bool   `json:"cut,omitempty"` // Text is the beginning of the message
}

// Dial implements conn.Dialer.
func (t *tap) Dial(ctx context.Context, to conn.Endpoint) (conn.Engine, error) {
	t.publish(frame{Way: "dial", Text: describeDial(to)})
	engine, err := t.dialer.Dial(ctx, to)
	if err != nil {
		t.publish(frame{Way: "end", Text: err.Error()})
		return nil, err
	}
	return &tappedEngine{engine, t}, nil
}

func (t *tap) publish(f frame) {
	f.N, f.At = t.count.Add(1), time.Now().UnixMilli()
	t.frames.Publish(f)
}

func (t *tap) message(way string, m conn.Message) {
	f := frame{Way: way, Size: len(m.Data), Binary: m.Binary, Text: "(binary)"}
	if !m.Binary {
		data := m.Data[:min(len(m.Data), maxFrameText)]
		f.Cut = len(data) < len(m.Data)
		f.Text = strings.ToValidUTF8(maskConnect(string(data)), "")
	}
	t.publish(f)
}

// A tappedEngine publishes the messages that it reads and writes.
type tappedEngine struct {
	conn.Engine
	tap *tap
}

// Read implements conn.Engine.
func (e *tappedEngine) Read() (conn.Message, error) {
	m, err := e.Engine.Read()
	if err != nil {
		e.tap.publish(frame{Way: "end", Text: err.Error()})
		return m, err
	}
	e.tap.message("in", m)
	return m, nil
}

// Write implements conn.Engine.
func (e *tappedEngine) Write(messages ...conn.Message) error {
	for _, m := range messages {
		e.tap.message("out", m)
	}
	return e.Engine.Write(messages...)
}

const masked = "•••"

// maskConnect replaces the payload of a CONNECT packet, which has the token of
// the user or the id of the session: 0{"token":"…"} or 0/admin,{"token":"…"}.
func maskConnect(packet string) string {
	if !strings.HasPrefix(packet, "0") {
		return packet
	}
	start := strings.IndexByte(packet, '{')
	if start < 0 {
		return packet
	}
	return packet[:start] + masked
}

// describeDial returns the address of an endpoint, with its query and headers
// masked.
func describeDial(to conn.Endpoint) string {
	address := *to.URL
	address.User = nil
	address.RawQuery = maskQuery(address.Query())
	lines := []string{address.String() + " (" + strings.Join(to.Transports, ", ") + ")"}
	for _, name := range slices.Sorted(maps.Keys(to.Header)) {
		lines = append(lines, name+": "+masked)
	}
	return strings.Join(lines, "\n")
}

func maskQuery(query url.Values) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(query)) {
		parts = append(parts, url.QueryEscape(name)+"="+masked)
	}
	return strings.Join(parts, "&")
}
