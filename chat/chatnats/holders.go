package chatnats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	fresh       = firstPause  // how long a holder counts as alive after a reply
	pingTimeout = time.Second // for the reply to a ping
	maxHolders  = 4096        // leases that are remembered
)

// holders finds the holders of leases for all Remotes of a Bus. Callers that
// look for the same holder share a ping.
type holders struct {
	mu      sync.Mutex
	byLease map[string]*holding
}

// A holding is the state of the search for the holder of a lease.
type holding struct {
	turn chan struct{} // a semaphore; its owner may use the fields below

	revision uint64    // 0 if it is not known
	alive    time.Time // when it replied last
	missing  time.Time // when none was found last
}

func (h *holders) of(lease string) *holding {
	h.mu.Lock()
	defer h.mu.Unlock()
	found := h.byLease[lease]
	if found == nil {
		if h.byLease == nil || len(h.byLease) >= maxHolders {
			h.byLease = map[string]*holding{}
		}
		found = &holding{turn: make(chan struct{}, 1)}
		h.byLease[lease] = found
	}
	return found
}

// find returns the revision of the tenure whose holder has just replied. It
// waits for a holder until ctx ends, and then returns ErrNoHolder. It returns
// the error of a bucket that differs.
func (b *Bus) find(ctx context.Context, lease, chat string) (uint64, error) {
	h := b.holders.of(lease)
	for {
		revision, failed := h.look(ctx, b, lease, chat)
		if revision != 0 {
			return revision, nil
		}
		if _, differs := errors.AsType[*ConfigError](failed); differs {
			return 0, failed
		}
		if b.conn.IsClosed() {
			return 0, nats.ErrConnectionClosed
		}
		if err := h.wait(ctx); err != nil {
			if failed != nil {
				err = fmt.Errorf("%w: %w", err, failed)
			}
			return 0, err
		}
	}
}

// look returns 0 if no holder has replied.
func (h *holding) look(ctx context.Context, b *Bus, lease, chat string) (uint64, error) {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return 0, nil
	}
	switch {
	case h.revision != 0 && time.Since(h.alive) < fresh:
		return h.revision, nil
	case time.Since(h.missing) < firstPause:
		return 0, nil
	}
	err := h.ping(ctx, b, lease, chat)
	if err != nil {
		h.revision, h.missing = 0, time.Now()
	}
	return h.revision, err
}

func (h *holding) ping(ctx context.Context, b *Bus, lease, chat string) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if h.revision == 0 {
		bucket, err := b.bucket(ctx, false)
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		entry, err := bucket.Get(ctx, leaseKey(lease))
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		var v leaseValue
		if err := json.Unmarshal(entry.Value(), &v); err != nil || v.Revision == 0 {
			return err
		}
		h.revision = v.Revision
	}
	msg := nats.NewMsg(b.holder(lease, h.revision, chat))
	msg.Header.Set(headerVerb, verbPing)
	_, err := b.conn.RequestMsgWithContext(ctx, msg)
	if err == nil {
		h.alive = time.Now()
	}
	return err
}

// again is called when the holder of a revision did not accept a request. It
// waits a moment. The next call of find reads the revision again.
func (b *Bus) again(ctx context.Context, lease string, revision uint64) error {
	h := b.holders.of(lease)
	select {
	case h.turn <- struct{}{}:
		if h.revision == revision {
			h.revision = 0
		}
		<-h.turn
	case <-ctx.Done():
		return ErrNoHolder
	}
	return h.wait(ctx)
}

func (h *holding) wait(ctx context.Context) error {
	select {
	case <-time.After(firstPause/2 + rand.N(firstPause)):
		return nil
	case <-ctx.Done():
		return ErrNoHolder
	}
}
