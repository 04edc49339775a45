package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"maps"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
)

// A config holds the backend's settings.
type config struct {
	Addr     string
	Token    string
	Recovery time.Duration
	Names    names
	Faults   Faults
}

// A backend is a chattest.Server with an AI and faults, over all its restarts.
type backend struct {
	cfg     config
	restart chan time.Duration // how long to stay down
	changed chan struct{}      // of capacity 1: the faults have

	mu     sync.Mutex
	server *chattest.Server // the current one
	addr   string           // where it listens
	now    Faults
	names  names // complete
}

// start starts the backend. The caller calls run.
func start(cfg config) (*backend, error) {
	if err := cfg.Faults.validate(); err != nil {
		return nil, err
	}
	b := &backend{cfg: cfg, restart: make(chan time.Duration, 1), changed: make(chan struct{}, 1), addr: cfg.Addr, now: cfg.Faults, names: cfg.Names.complete()}
	return b, b.listen()
}

// run serves until ctx ends, and restarts the server on request.
func (b *backend) run(ctx context.Context) error {
	defer func() { b.current().Close() }()
	for {
		var due <-chan time.Time // never, unless it is to restart by itself
		if every := time.Duration(b.faults().Restart); every > 0 {
			due = time.After(every)
		}
		var down time.Duration
		select {
		case <-ctx.Done():
			return nil
		case <-b.changed:
			continue
		case down = <-b.restart:
		case <-due:
		}
		b.current().Close()
		if pause(ctx, Duration(down)) != nil {
			return nil
		}
		if err := b.listen(); err != nil {
			return err
		}
	}
}

// listen starts a server, on the port of the one before if there was one.
func (b *backend) listen() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	server, err := chattest.Start(b.addr, chattest.Config{
		Answer:     b.answer,
		Auth:       b.admit,
		Names:      b.names,
		Recovery:   b.cfg.Recovery,
		Middleware: b.handler,
	})
	if err != nil {
		return err
	}
	if host, port, _ := net.SplitHostPort(b.addr); port == "0" {
		b.addr = net.JoinHostPort(host, server.URL[strings.LastIndexByte(server.URL, ':')+1:])
	}
	b.server = server
	b.install(server, nil, b.names)
	return nil
}

// admit lets a client in, or says why not.
func (b *backend) admit(auth map[string]any) error {
	token, _ := auth["token"].(string)
	switch {
	case b.faults().Refuse:
		return errors.New("refused: the fault is switched on")
	case b.cfg.Token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(b.cfg.Token)) == 0:
		return errors.New("the token is not the right one")
	}
	return nil
}

// rename renames events and sends the new names to all clients.
func (b *backend) rename(changes names) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.names.complete()
	maps.Copy(next, changes)
	if err := next.validate(); err != nil {
		return err
	}
	b.install(b.server, b.names, next)
	b.names = next
	b.server.SetNames(changes)
	return nil
}

// install sets the handlers of the current event names, and removes those of the names before.
func (b *backend) install(server *chattest.Server, before, now names) {
	for _, name := range before {
		server.Handle(name, nil)
	}
	for key, name := range now {
		switch key {
		case events.KeyUserTypingStart, events.KeyUserTypingStop, events.KeyChatRead:
			server.Handle(name, b.passOn)
		default:
			server.Handle(name, b.late)
		}
	}
}

// late is the first step of every event.
func (b *backend) late(ctx context.Context, _ chattest.Received) (any, error) {
	return nil, pause(ctx, b.faults().Latency)
}

// passOn gives an event to the others in its sender's room, as it came.
func (b *backend) passOn(ctx context.Context, r chattest.Received) (any, error) {
	if err := pause(ctx, b.faults().Latency); err != nil {
		return nil, err
	}
	var to struct {
		ChatID events.ID `json:"chatId"`
		UserID events.ID `json:"userId"`
	}
	if err := r.Decode(&to); err != nil || to.UserID.IsZero() {
		return nil, err // the server's error names the address
	}
	for _, k := range b.others(r.Socket, to.ChatID) {
		_ = k.Emit(ctx, r.Name, r.Args[0]) // one that is gone hears nothing
	}
	return nil, nil
}

// others are those who share a room with k.
func (b *backend) others(k *chattest.Socket, chatID events.ID) []*chattest.Socket {
	var others []*chattest.Socket
	member := false
	for _, other := range b.current().Room(chatID) {
		if other == k {
			member = true
		} else {
			others = append(others, other)
		}
	}
	if !member {
		return nil
	}
	return others
}

// URL is where the backend answers.
func (b *backend) URL() string { return b.current().URL }

func (b *backend) current() *chattest.Server {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.server
}

func (b *backend) faults() Faults {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *backend) name(key events.Key) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.names[key]
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-time.After(time.Duration(d)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
