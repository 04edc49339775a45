package chatnats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	pull      = 2048        // messages of one request to a consumer
	abandoned = time.Minute // after which the server deletes a consumer without pulls
)

var (
	errGap         = errors.New("chatnats: deliveries are missing")
	errReconnected = errors.New("chatnats: the connection was lost")
)

// A puller is a running consumer. Its owner reads trouble, which reports that a
// delivered message may be lost, even if no later message shows the gap.
type puller struct {
	trouble chan error
	stop    func() // ends it; take is not called after stop has returned
}

// consume calls take for each message of a consumer, in order, one at a time.
// The caller must unblock take before it calls stop.
func (b *Bus) consume(consumer jetstream.Consumer, take func(jetstream.Msg), opts ...jetstream.PullConsumeOpt) (*puller, error) {
	p := &puller{trouble: make(chan error, 1)}
	report := func(err error) {
		select {
		case p.trouble <- err:
		default: // one is enough
		}
	}
	var mu sync.Mutex // held during take
	over := false
	opts = append(opts, jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { report(err) }))
	consuming, err := consumer.Consume(func(msg jetstream.Msg) {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			take(msg)
		}
	}, opts...)
	if err != nil {
		return nil, err
	}
	reconnected := b.conn.StatusChanged(nats.CONNECTED)
	var watching sync.WaitGroup
	watching.Go(func() { // ends with stop
		for range reconnected {
			report(errReconnected)
		}
	})
	p.stop = sync.OnceFunc(func() {
		consuming.Stop()
		mu.Lock()
		over = true
		mu.Unlock()
		b.conn.RemoveStatusListener(reconnected)
		watching.Wait()
	})
	return p, nil
}

// persist calls f until it succeeds, ctx ends, or the error is permanent. The
// pauses grow while f fails soon after its start.
func (b *Bus) persist(ctx context.Context, what string, f func(ctx context.Context) error) error {
	pause := firstPause
	var differs *ConfigError
	for {
		begun := time.Now()
		err := f(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			return nil
		case errors.As(err, &differs):
			return err
		case b.conn.IsClosed(), errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrConsumerNotFound):
			return fmt.Errorf("chatnats: %s: %w", what, err)
		}
		b.log.Warn("chatnats: interrupted", "what", what, "error", err)
		if time.Since(begun) > longPause {
			pause = firstPause
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, longPause)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
