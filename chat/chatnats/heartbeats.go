package chatnats

import (
	"context"
	"crypto/rand"
	"errors"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// heartbeats keep this process's key in the bucket. The key expires when it is
// not written again.
//
// Members may disagree for a moment about the list of members. Only the even
// spread of work depends on the list: JetStream itself makes sure that one
// reader has a partition.
type heartbeats struct {
	bus  *Bus
	kind string
	id   string
}

func (b *Bus) join(kind string) *heartbeats { return &heartbeats{b, kind, rand.Text()} }

func (h *heartbeats) subject(id string) string {
	return "$KV." + h.bus.prefix + "." + h.kind + "." + id
}

// watch says that this member is alive three times per ttl, and calls changed
// with all that are, in order, whenever that has changed. It returns when ctx ends,
// or the bucket is gone.
func (h *heartbeats) watch(ctx context.Context, ttl time.Duration, changed func(members []string)) error {
	var known []string
	tick := time.NewTicker(ttl / 3)
	defer tick.Stop()
	for {
		members, err := h.look(ctx, ttl)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, jetstream.ErrStreamNotFound), h.bus.conn.IsClosed():
			return err
		case err == nil && !slices.Equal(members, known): // while NATS is away, all stays as it is
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

func (h *heartbeats) look(ctx context.Context, ttl time.Duration) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, ttl)
	defer cancel()
	if _, err := h.bus.js.Publish(ctx, h.subject(h.id), nil, jetstream.WithMsgTTL(ttl)); err != nil {
		return nil, err
	}
	keys, err := jetstreamext.GetLastMsgsFor(ctx, h.bus.js, "KV_"+h.bus.prefix, []string{h.subject("*")})
	if err != nil {
		return nil, err
	}
	var members []string
	for key, err := range keys {
		if err != nil {
			return nil, err
		}
		if key.Header.Get("KV-Operation") == "" && key.Header.Get("Nats-Marker-Reason") == "" {
			members = append(members, key.Subject[strings.LastIndexByte(key.Subject, '.')+1:])
		}
	}
	slices.Sort(members)
	return members, nil
}

// leave takes the key away, so that the others need not wait for its end.
func (h *heartbeats) leave() {
	if h.bus.conn.Status() != nats.CONNECTED {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), longPause)
	defer cancel()
	_ = h.bus.kv.Purge(ctx, h.kind+"."+h.id) // else it ends with its time
}

// share returns the partitions of one of the members. Each has as many as any
// other, or one more; and when members come and go, few partitions move: each
// goes to the member that ranks highest for it and still has room.
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
	// FNV's last bytes hardly reach the upper bits: mix them.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}
