package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/mockserver"
	"github.com/seed67206a74/parley/reconnect"
)

// options are the values of all flags, and the arguments.
type options struct {
	args []string

	// Of a connection.
	path, auth string
	transport  string
	header     headers
	timeout    time.Duration

	json       bool   // ask, tail, doctor
	chat, user string // ask, doctor
	ack        bool   // emit
	join       string // tail, emit
	payload    string
	question   string // doctor

	mock mockserver.Config
}

// headers are the values of the flag -header.
type headers http.Header

func (h *headers) String() string { return "" }

func (h *headers) Set(value string) error {
	name, content, ok := strings.Cut(value, ":")
	if !ok {
		return fmt.Errorf("%q is not of the form \"Name: value\"", value)
	}
	if *h == nil {
		*h = headers{}
	}
	http.Header(*h).Add(strings.TrimSpace(name), strings.TrimSpace(content))
	return nil
}

// connFlags adds the flags of a connection.
func connFlags(flags *flag.FlagSet, o *options) {
	flags.StringVar(&o.path, "path", conn.DefaultPath, "the `path` of Socket.IO on the server")
	flags.StringVar(&o.auth, "auth", "", "the `JSON` object to authenticate with; @FILE reads it from a file, which other users of the machine cannot see")
	flags.StringVar(&o.transport, "transport", "", "\"websocket\", \"polling\", or both in the order to try them, with a comma between; `names` of conn.Config.Transports. Default: websocket,polling")
	flags.Var(&o.header, "header", "a `header` of each request, as \"Name: value\"; may be repeated")
	flags.DurationVar(&o.timeout, "timeout", 10*time.Second, "the maximum `duration` of a connect")
}

// roomFlags adds the flags of a chat.
func roomFlags(flags *flag.FlagSet, o *options) {
	flags.StringVar(&o.chat, "chat", "room-1", "the chat's `id`")
	flags.StringVar(&o.user, "user", "u1", "the user's `id`")
}

// joinFlags adds the flags of an event that is sent after each connect.
func joinFlags(flags *flag.FlagSet, o *options) {
	flags.StringVar(&o.join, "join", "", "an `event` to send after each connect")
	flags.StringVar(&o.payload, "payload", "", "the `JSON` payload of the event in -join")
}

// conn returns the configuration of the connection. A first failed attempt ends
// the command if once is true. Nothing is logged, because the commands report
// states and errors.
func (o *options) conn(once bool) (conn.Config, error) {
	config := conn.Config{
		Path:             o.path,
		Header:           http.Header(o.header),
		HandshakeTimeout: o.timeout,
		Logger:           slog.New(slog.DiscardHandler),
	}
	if once {
		config.Reconnect = reconnect.Policy{MaxAttempts: -1}
	}
	if o.transport != "" {
		config.Transports = strings.Split(o.transport, ",")
	}
	auth, err := o.authJSON()
	if err != nil {
		return conn.Config{}, err
	}
	if auth != nil {
		config.Auth = func(context.Context) (any, error) { return auth, nil }
	}
	if o.payload != "" && (o.join == "" || !json.Valid([]byte(o.payload))) {
		return conn.Config{}, misusef("-payload must be JSON, and needs -join")
	}
	if o.join != "" {
		var args []any
		if o.payload != "" {
			args = []any{json.RawMessage(o.payload)}
		}
		config.OnConnect = func(ctx context.Context, s *conn.Session) error { return s.Emit(ctx, o.join, args...) }
	}
	return config, nil
}

// authJSON returns the object of -auth, or nil without one.
func (o *options) authJSON() (json.RawMessage, error) {
	auth := []byte(o.auth)
	if file, ok := strings.CutPrefix(o.auth, "@"); ok {
		var err error
		if auth, err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	if len(auth) == 0 {
		return nil, nil
	}
	var object map[string]any
	if err := json.Unmarshal(auth, &object); err != nil {
		return nil, misusef("-auth is not a JSON object")
	}
	return auth, nil
}
