package chatnats

import (
	"context"
	"crypto/rand"
	"errors"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// heartbeats keep this process's key in the bucket. The key expires unless it
// is written again.
//
// The members' lists of members may differ for a moment. Only the even spread
// of work depends on the list: JetStream makes sure that one reader has a
// partition.
type heartbeats struct {
	bus  *Bus
	kind string
	id   string
}

func (b *Bus) join(kind string) *heartbeats { return &heartbeats{b, kind, rand.Text()} }

// watch writes this member's key three times per ttl. It calls changed with the
// sorted list of live members whenever the list has changed. It returns when
// ctx ends, the bucket was deleted, or the connection is closed.
func (h *heartbeats) watch(ctx context.Context, ttl time.Duration, changed func(members []string)) error {
	var known []string
	tick := time.NewTicker(ttl / 3)
	defer tick.Stop()
	for {
		found, err := h.look(ctx, ttl, nil)
		members := slices.Sorted(maps.Keys(found))
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, jetstream.ErrStreamNotFound), h.bus.conn.IsClosed():
			return err
		case err == nil && !slices.Equal(members, known): // without NATS, nothing changes
			known = members
			changed(members)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// look writes this member's key, and returns the values of all members by id.
func (h *heartbeats) look(ctx context.Context, ttl time.Duration, value []byte) (map[string][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, ttl)
	defer cancel()
	if _, err := h.bus.js.Publish(ctx, h.bus.kvSubject(h.kind+"."+h.id), value, jetstream.WithMsgTTL(ttl)); err != nil {
		return nil, err
	}
	keys, err := jetstreamext.GetLastMsgsFor(ctx, h.bus.js, "KV_"+h.bus.prefix, []string{"$KV." + h.bus.prefix + "." + h.kind + ".*"})
	if err != nil {
		return nil, err
	}
	members := map[string][]byte{}
	for key, err := range keys {
		if err != nil {
			return nil, err
		}
		if key.Header.Get("KV-Operation") == "" && key.Header.Get("Nats-Marker-Reason") == "" {
			members[key.Subject[strings.LastIndexByte(key.Subject, '.')+1:]] = key.Data
		}
	}
	return members, nil
}

// markerTTL is how long the marker of a removed key is kept.
const markerTTL = time.Minute

// leave deletes the key, so that the others need not wait until it expires.
func (h *heartbeats) leave() {
	if h.bus.conn.Status() != nats.CONNECTED {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), longPause)
	defer cancel()
	if bucket, err := h.bus.bucket(ctx, true); err == nil {
		// On failure, it expires.
		_ = bucket.Purge(ctx, h.kind+"."+h.id, jetstream.PurgeTTL(markerTTL))
	}
}

// share returns the partitions of one of the members. The members' shares
// differ by one partition at most. A partition goes to the member that ranks
// highest for it and still has room, so few partitions move when the members
// change.
func share(members []string, id string, partitions int) map[int]bool {
	mine := map[int]bool{}
	if len(members) == 0 {
		return mine
	}
	counts := map[string]int{}
	room, extra := partitions/len(members), partitions%len(members)
	for n := range partitions {
		ranked := slices.Clone(members)
		slices.SortFunc(ranked, func(a, b string) int {
			ra, rb := rank(n, a), rank(n, b)
			switch {
			case ra > rb:
				return -1
			case ra < rb:
				return 1
			}
			return strings.Compare(a, b)
		})
		for _, member := range ranked {
			if counts[member] < room || counts[member] == room && extra > 0 {
				if counts[member]++; counts[member] > room {
					extra--
				}
				mine[n] = member == id
				break
			}
		}
		if !mine[n] {
			delete(mine, n)
		}
	}
	return mine
}

func rank(partition int, member string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(member + "/" + strconv.Itoa(partition)))
	// The last bytes hardly change the upper bits of FNV: mix them.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}
