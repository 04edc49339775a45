// Handler answers the backend's requests to delete a file.
package main

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"log"
	"os"
	"os/signal"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

func main() {
	url := flag.String("url", "http://localhost:4000", "`URL` of the backend")
	dir := flag.String("dir", ".", "`folder` of the files")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	root, err := os.OpenRoot(*dir)
	if err != nil {
		log.Fatal(err)
	}
	if err := run(ctx, *url, root); err != nil {
		log.Fatal(err)
	}
}

// run serves the backend until ctx ends.
func run(ctx context.Context, url string, root *os.Root) error {
	client, err := chat.New(url, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		return err
	}
	defer client.Close()
	defer conn.Handle(client.Conn(), "file:delete", deleter(root))()
	return client.Run(ctx)
}

type deleted struct {
	Name  string `json:"name"`
	Found bool   `json:"found"`
}

// deleter returns a handler that deletes files below root.
func deleter(root *os.Root) func(context.Context, string) (deleted, error) {
	return func(_ context.Context, name string) (deleted, error) {
		err := root.Remove(name)
		if errors.Is(err, fs.ErrNotExist) {
			return deleted{Name: name}, nil
		}
		return deleted{Name: name, Found: err == nil}, err
	}
}
