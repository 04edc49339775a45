package main

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/chat/chatnats"
)

// letters is the stream that keeps dead letters.
const letters = "parley-dead"

// setup creates the streams and the bucket, which the users of the other roles
// cannot create.
func setup(ctx context.Context, s settings) error {
	conn, err := connect(ctx, s, "operator")
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	dead := jetstream.StreamConfig{Name: letters, Subjects: []string{"parley.dead.*.*.*"}}
	for _, stream := range []jetstream.StreamConfig{chatnats.Config{}.StreamConfig(), dead} {
		if _, err := js.CreateOrUpdateStream(ctx, stream); err != nil {
			return err
		}
	}
	_, err = js.CreateOrUpdateKeyValue(ctx, chatnats.Config{}.BucketConfig())
	return err
}

// status prints the holder of the lease, the groups, the durable feeds and the
// number of dead letters.
func status(ctx context.Context, s settings) error {
	conn, err := connect(ctx, s, "operator")
	if err != nil {
		return err
	}
	defer conn.Close()
	b, err := chatnats.Open(ctx, conn, chatnats.Config{})
	if err != nil {
		return err
	}
	id, err := chatnats.Holder(ctx, b, rooms[0])
	if err != nil {
		return err
	}
	fmt.Println("holder:", id)
	groups, err := chatnats.Groups(ctx, b)
	if err != nil {
		return err
	}
	durables, err := chatnats.Durables(ctx, b)
	if err != nil {
		return err
	}
	for _, r := range append(groups, durables...) {
		fmt.Printf("%s: %d pending, %d unacknowledged, %d active\n", r.Name, r.Pending, r.Unacknowledged, r.Active)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	dead, err := js.Stream(ctx, letters)
	if err != nil {
		return err
	}
	fmt.Println("dead letters:", dead.CachedInfo().State.Msgs)
	return nil
}

// remove removes a group that has no workers any more.
func remove(ctx context.Context, s settings) error {
	b, done, err := open(ctx, s, "operator")
	if err != nil {
		return err
	}
	defer done()
	return chatnats.RemoveGroup(ctx, b, s.group)
}
