package main

import (
	"context"
	"errors"
	"fmt"
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

func open(ctx context.Context, url string) (*chatnats.Bus, func(), error) {
	conn, err := nats.Connect(url, nats.MaxReconnects(-1))
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
	b, done, err := open(ctx, s.nats)
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
	b, done, err := open(ctx, s.nats)
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

// front asks questions through the process that holds the lease.
func front(ctx context.Context, s settings) error {
	b, done, err := open(ctx, s.nats)
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
