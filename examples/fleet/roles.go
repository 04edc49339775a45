package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chatnats"
	"github.com/seed67206a74/parley/events"
	"golang.org/x/sync/errgroup"
)

// rooms are the chats of the fleet. One socket joins all of them.
var rooms = []events.ID{
	events.StringID("room-1"), events.StringID("room-2"), events.StringID("room-3"), events.StringID("room-4"),
}

// holds is the line that a holder prints after it has joined the rooms.
const holds = "holds the socket"

// connect connects to NATS, as a user of nats.conf if there is an authority. It
// waits for a server that has not started yet.
func connect(ctx context.Context, s settings, user string) (*nats.Conn, error) {
	options := []nats.Option{
		nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.ReconnectWait(time.Second),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { fmt.Fprintln(os.Stderr, "not connected:", err) }),
	}
	if s.ca != "" {
		options = append(options, nats.RootCAs(s.ca), nats.UserInfo(user, os.Getenv("FLEET_PASSWORD")))
	}
	conn, err := nats.Connect(s.nats, options...)
	if err != nil {
		return nil, err
	}
	changed := conn.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer conn.RemoveStatusListener(changed)
	if !conn.IsConnected() {
		select {
		case <-changed:
		case <-ctx.Done():
			conn.Close()
			return nil, ctx.Err()
		}
	}
	if conn.IsClosed() {
		return nil, conn.LastError()
	}
	return conn, nil
}

func open(ctx context.Context, s settings, user string) (*chatnats.Bus, func(), error) {
	conn, err := connect(ctx, s, user)
	if err != nil {
		return nil, nil, err
	}
	b, err := chatnats.Open(ctx, conn, chatnats.Config{})
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return b, conn.Close, nil
}

// holder competes for the lease of the socket. While it has the lease, it
// forwards events and serves remote requests.
func holder(ctx context.Context, s settings) error {
	b, done, err := open(ctx, s, "holder")
	if err != nil {
		return err
	}
	defer done()
	return chatnats.RunWithLease(ctx, b, rooms[0], chatnats.LeaseConfig{ID: s.id, TTL: 2 * time.Second}, func(ctx context.Context) error {
		client, err := chat.New(s.backend, chat.Config{ChatID: rooms[0], JoinTimeout: 5 * time.Second})
		if err != nil {
			return err
		}
		defer func() { _ = client.Close() }()
		forwarding, err := chatnats.Forward(ctx, b, client.Events, chatnats.ForwardConfig{ChatID: rooms[0]})
		if err != nil {
			return err
		}
		g, ctx := errgroup.WithContext(ctx) // the first to fail cancels the others
		g.Go(func() error { return client.Run(ctx) })
		g.Go(forwarding.Wait)
		g.Go(func() error {
			for _, room := range rooms {
				if err := client.Join(ctx, room); err != nil {
					return err
				}
			}
			fmt.Println(holds)
			return chatnats.Serve(ctx, b, client, rooms...)
		})
		return g.Wait()
	})
}

// worker counts the words of each answer in its share of the requests.
func worker(ctx context.Context, s settings) error {
	b, done, err := open(ctx, s, "worker")
	if err != nil {
		return err
	}
	defer done()
	words := map[string]int{}
	// Parallel is 1, because the map has no lock.
	cfg := chatnats.GroupConfig{Name: "word-count", Sequence: 1, FromStart: true, Parallel: 1}
	return chatnats.Work(ctx, b, cfg, func(_ context.Context, d chatnats.Delivery) error {
		switch event := d.Event.(type) {
		case events.AIToken:
			words[event.RequestID] = event.Index + 1 // a repetition does not change the count
		case events.AIMessage:
			fmt.Printf("counted %d words in the answer to %s\n", words[event.RequestID], event.RequestID)
			delete(words, event.RequestID)
		}
		return nil
	})
}

// reader prints each message.
func reader(ctx context.Context, s settings) error {
	b, done, err := open(ctx, s, "reader")
	if err != nil {
		return err
	}
	defer done()
	feed, err := chatnats.Subscribe(ctx, b, chatnats.SubscribeConfig{Sequence: 1})
	if err != nil {
		return err
	}
	messages := feed.Messages.Chan(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return feed.Run(ctx) })
	g.Go(func() error {
		for message := range messages {
			fmt.Printf("read the answer to %s\n", message.RequestID)
		}
		return nil
	})
	return g.Wait()
}

// front asks questions through the process that holds the lease.
func front(ctx context.Context, s settings) error {
	b, done, err := open(ctx, s, "asker")
	if err != nil {
		return err
	}
	defer done()
	for n := 1; n <= s.questions; n++ {
		remote := &chatnats.Remote{Bus: b, ChatID: rooms[n%len(rooms)], Lease: rooms[0]}
		question := chat.Question{
			UserID: events.StringID("u1"), RequestID: fmt.Sprintf("question-%d", n), Text: fmt.Sprintf("what is %d times %d?", n, n),
		}
		answer, err := ask(ctx, remote, question)
		for errors.Is(err, chatnats.ErrHolderLost) { // the holder was killed: ask the next one
			fmt.Println("asks again:", err)
			answer, err = ask(ctx, remote, question)
		}
		if err != nil {
			return err
		}
		fmt.Printf("answer to %s: %s\n", question.RequestID, answer)
		select {
		case <-time.After(200 * time.Millisecond): // time to read the answer
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// ask returns the whole text of the answer.
func ask(ctx context.Context, remote *chatnats.Remote, question chat.Question) (string, error) {
	stream, err := remote.Ask(ctx, question)
	if err != nil {
		return "", err
	}
	var answer strings.Builder
	for text, err := range stream.Text() {
		if err != nil {
			return "", err
		}
		answer.WriteString(text)
	}
	return answer.String(), nil
}
