package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/events"
)

// maxResponse is the maximum size in bytes of a response that doctor reads.
const maxResponse = 1 << 20

// nameWait is how long doctor waits for advertised names.
const nameWait = 2 * time.Second

// An examiner checks one server. It sends the packets itself, because it
// reports details that a client hides.
type examiner struct {
	o         *options
	base      url.URL // scheme http or https, with the path of Socket.IO
	namespace string
	auth      json.RawMessage
}

func newExaminer(o *options) (*examiner, error) {
	u, err := url.Parse(o.args[0])
	if err != nil {
		return nil, misusef("%v", err)
	}
	auth, err := o.authJSON()
	if err != nil {
		return nil, err
	}
	x := &examiner{o: o, base: *u, namespace: "/" + strings.Trim(u.EscapedPath(), "/"), auth: auth}
	x.base.Scheme = strings.Replace(u.Scheme, "ws", "http", 1)
	x.base.Path = "/" + strings.Trim(o.path, "/") + "/"
	x.base.RawPath, x.base.Fragment = "", ""
	return x, nil
}

// handshake is the content of an open packet.
type handshake struct {
	SID          string   `json:"sid"`
	Upgrades     []string `json:"upgrades"`
	PingInterval int64    `json:"pingInterval"` // milliseconds
	PingTimeout  int64    `json:"pingTimeout"`  // milliseconds
	MaxPayload   int64    `json:"maxPayload"`
}

// examine checks the server.
func (x *examiner) examine(ctx context.Context) report {
	r := report{Server: x.base.Scheme + "://" + x.base.Host, Path: x.base.Path, Namespace: x.namespace}
	opened, err := x.poll(ctx, 4, "")
	if err == nil {
		r.Polling = passed("")
	} else {
		r.Polling = failed(err)
	}
	socket, first, err := x.dial(ctx, "")
	if err == nil {
		r.WebSocket, opened = passed(""), first
		defer socket.Close()
	} else {
		r.WebSocket = failed(err)
	}
	if opened == nil {
		if _, err := x.poll(ctx, 3, ""); err == nil {
			r.Protocol = 3
		}
		return r
	}
	r.Protocol, r.MaxBytes = 4, opened.MaxPayload
	r.Heartbeat = fmt.Sprintf("a ping every %v, timeout %v",
		time.Duration(opened.PingInterval)*time.Millisecond, time.Duration(opened.PingTimeout)*time.Millisecond)
	r.Upgrade = x.upgrade(ctx, r.Polling.OK)
	if socket != nil {
		x.connect(socket, &r)
	} else {
		r.Connect = x.connectByPolling(ctx)
	}
	return r
}

func (x *examiner) url(scheme string, revision int, transport, sid string) string {
	u := x.base
	u.Scheme += scheme
	query := fmt.Sprintf("EIO=%d&transport=%s", revision, transport)
	if sid != "" {
		query += "&sid=" + url.QueryEscape(sid)
	}
	if u.RawQuery != "" {
		query = u.RawQuery + "&" + query
	}
	u.RawQuery = query
	if scheme == "ws" {
		u.Scheme = strings.Replace(x.base.Scheme, "http", "ws", 1)
	}
	return u.String()
}

// do sends a request and returns the body of its response.
func (x *examiner) do(ctx context.Context, method, target, body string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, x.o.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	for name, values := range x.o.header {
		request.Header[name] = values
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		var outer *url.Error // its text has the whole URL, with the query
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("HTTP status %s: %.200s", response.Status, content)
	}
	return string(content), err
}

// poll opens a session by long-polling.
func (x *examiner) poll(ctx context.Context, revision int, sid string) (*handshake, error) {
	body, err := x.do(ctx, http.MethodGet, x.url("", revision, "polling", sid), "")
	if err != nil {
		return nil, err
	}
	if revision == 3 {
		_, body, _ = strings.Cut(body, ":") // the length of the packet
	}
	return parseOpen(body)
}

// parseOpen parses the open packet at the start of a payload.
func parseOpen(payload string) (*handshake, error) {
	packet, _, _ := strings.Cut(payload, "\x1e")
	h := new(handshake)
	if content, ok := strings.CutPrefix(packet, "0"); !ok || json.NewDecoder(strings.NewReader(content)).Decode(h) != nil || h.SID == "" {
		return nil, fmt.Errorf("this is not a Socket.IO server: it answered %.60q", payload)
	}
	return h, nil
}

// dial opens a websocket: a session of its own or, with a sid, the probe of an
// upgrade.
func (x *examiner) dial(ctx context.Context, sid string) (*websocket.Conn, *handshake, error) {
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: x.o.timeout, EnableCompression: true}
	socket, response, err := dialer.DialContext(ctx, x.url("ws", 4, "websocket", sid), http.Header(x.o.header))
	if err != nil {
		if response != nil {
			content, _ := io.ReadAll(io.LimitReader(response.Body, 200)) // the error matters more
			err = fmt.Errorf("HTTP status %s: %s", response.Status, content)
		}
		return nil, nil, err
	}
	// It fails on a closed socket, as the next read does then.
	_ = socket.SetReadDeadline(time.Now().Add(x.o.timeout))
	if sid != "" {
		return socket, nil, nil
	}
	_, packet, err := socket.ReadMessage()
	if err != nil {
		socket.Close()
		return nil, nil, err
	}
	h, err := parseOpen(string(packet))
	if err != nil {
		socket.Close()
		return nil, nil, err
	}
	return socket, h, nil
}

// upgrade probes the upgrade of a session from polling to websocket.
func (x *examiner) upgrade(ctx context.Context, polling bool) probe {
	if !polling {
		return failed(errors.New("there is no polling"))
	}
	h, err := x.poll(ctx, 4, "")
	if err != nil {
		return failed(err)
	}
	if !slices.Contains(h.Upgrades, "websocket") {
		return failed(errors.New("the server does not offer it"))
	}
	socket, _, err := x.dial(ctx, h.SID)
	if err != nil {
		return failed(err)
	}
	defer socket.Close()
	if err := socket.WriteMessage(websocket.TextMessage, []byte("2probe")); err != nil {
		return failed(err)
	}
	_, packet, err := socket.ReadMessage()
	if err != nil {
		return failed(err)
	}
	if string(packet) != "3probe" {
		return failed(fmt.Errorf("the probe was answered with %.60q", packet))
	}
	return passed("")
}

// prefix is the namespace in front of the data of a packet.
func (x *examiner) prefix() string {
	if x.namespace == "/" {
		return ""
	}
	return x.namespace + ","
}

// connect connects to the namespace and asks for names.
func (x *examiner) connect(socket *websocket.Conn, r *report) {
	if err := socket.WriteMessage(websocket.TextMessage, []byte("40"+x.prefix()+string(x.auth))); err != nil {
		r.Connect = failed(err)
		return
	}
	for !r.Connect.OK {
		_, packet, err := socket.ReadMessage()
		if err != nil {
			r.Connect = failed(fmt.Errorf("CONNECT is not answered: %w", err))
			return
		}
		switch text := string(packet); {
		case text == "2":
			// A failure is the next read's as well.
			_ = socket.WriteMessage(websocket.TextMessage, []byte("3"))
		case strings.HasPrefix(text, "40"):
			var answer struct{ SID, PID string }
			_ = json.Unmarshal([]byte(strings.TrimPrefix(text[2:], x.prefix())), &answer)
			r.Recovery = answer.PID != ""
			r.Connect = passed("session %s", clean(answer.SID))
		case strings.HasPrefix(text, "44"):
			r.Connect = failed(fmt.Errorf("refused: %s", strings.TrimPrefix(text[2:], x.prefix())))
			return
		case strings.HasPrefix(text, "42"):
			r.Early++
		}
	}
	r.Names = x.names(socket)
}

// names asks for the names of events.
func (x *examiner) names(socket *websocket.Conn) names {
	request := `42` + x.prefix() + `["meta:events:request",{}]`
	if socket.WriteMessage(websocket.TextMessage, []byte(request)) != nil {
		return nil
	}
	// It fails on a closed socket, as the next read does then.
	_ = socket.SetReadDeadline(time.Now().Add(nameWait))
	for {
		_, packet, err := socket.ReadMessage()
		if err != nil {
			return nil
		}
		var args []json.RawMessage
		content, ok := strings.CutPrefix(string(packet), "42"+x.prefix())
		if !ok || json.Unmarshal([]byte(content), &args) != nil || len(args) < 2 || string(args[0]) != `"meta:events:response"` {
			continue
		}
		var all map[string]any
		if json.Unmarshal(args[1], &all) != nil {
			return nil
		}
		advertised := names{}
		for key, name := range all {
			if name, ok := name.(string); ok {
				advertised[key] = name
			}
		}
		return advertised
	}
}

// name returns the advertised name of a key, or that of the contract.
func (n names) name(key events.Key) string {
	return cmp.Or(n[string(key)], key.DefaultName())
}

// changed lists the names that differ from the contract, as KEY=name.
func (n names) changed() []string {
	var all []string
	for key, name := range n {
		if events.Key(key).DefaultName() != name {
			all = append(all, key+"="+name)
		}
	}
	slices.Sort(all)
	return all
}

// connectByPolling connects to the namespace of a server without websocket.
func (x *examiner) connectByPolling(ctx context.Context) probe {
	h, err := x.poll(ctx, 4, "")
	if err != nil {
		return failed(err)
	}
	target := x.url("", 4, "polling", h.SID)
	if _, err := x.do(ctx, http.MethodPost, target, "40"+x.prefix()+string(x.auth)); err != nil {
		return failed(err)
	}
	for {
		body, err := x.do(ctx, http.MethodGet, target, "")
		if err != nil {
			return failed(err)
		}
		for packet := range strings.SplitSeq(body, "\x1e") {
			switch {
			case strings.HasPrefix(packet, "40"):
				return passed("")
			case strings.HasPrefix(packet, "44"):
				return failed(fmt.Errorf("refused: %s", strings.TrimPrefix(packet[2:], x.prefix())))
			}
		}
	}
}
