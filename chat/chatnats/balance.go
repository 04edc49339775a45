package chatnats

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// ErrLeaseMoved is the cause of a holder's ctx when another instance takes the
// lease over, so that all instances hold equally many.
var ErrLeaseMoved = errors.New("chatnats: the lease moves to another instance")

// A balancer spreads leases evenly over the instances that compete for the same
// ones. An instance is a Bus. Each has a key in the bucket, which expires
// unless it is written again. An instance with more leases than its share ends
// tenures: first those with the fewest answers in flight, then the oldest. Only
// instances below their share take these leases, for a quarter of the TTL.
//
// The instances' views may differ for a moment. Only the even spread depends on
// them: the key of a lease makes sure that one instance holds it.
type balancer struct {
	mu     sync.Mutex
	leases []*lease // of the calls of RunWithLease
	known  bool     // whether share is known
	share  int      // how many leases this instance should hold
	stop   func()   // ends the goroutine; nil without leases
}

// An instance is the value of an instance's key.
type instance struct {
	Held int `json:"held"`
	Room int `json:"room"` // further leases that it can hold
}

// add adds a lease for which this instance competes.
func (r *balancer) add(l *lease) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leases = append(r.leases, l)
	if r.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { r.run(ctx, l.bus, l.cfg.TTL) }) // ends with stop
		r.stop = func() {
			cancel()
			running.Wait()
		}
	}
}

func (r *balancer) remove(l *lease) {
	r.mu.Lock()
	r.leases = slices.DeleteFunc(r.leases, func(other *lease) bool { return other == l })
	var stop func()
	if len(r.leases) == 0 {
		stop, r.stop, r.known = r.stop, nil, false
	}
	r.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// hold records the ctx of the holder of a lease, or nil if there is none.
func (r *balancer) hold(l *lease, h *tenureCtx) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.holder, l.since = h, time.Now()
}

// limit returns how many leases this instance should hold.
func (r *balancer) limit() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known {
		return math.MaxInt
	}
	return r.share
}

// run writes the instance's key and balances three times per ttl.
func (r *balancer) run(ctx context.Context, b *Bus, ttl time.Duration) {
	var beats *heartbeats
	defer func() {
		if beats != nil {
			beats.leave()
		}
	}()
	failed := false
	tick := time.NewTicker(ttl / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		kind, own := r.state()
		if beats == nil || beats.kind != kind {
			if beats != nil {
				beats.leave()
			}
			beats = b.join(kind)
		}
		value, _ := json.Marshal(own) // numbers: it cannot fail
		members, err := beats.look(ctx, ttl, value)
		if err != nil {
			if !failed && ctx.Err() == nil {
				b.log.Warn("chatnats: leases cannot be balanced", "error", err)
			}
			failed = true
			continue
		}
		failed = false
		all := map[string]instance{}
		for id, value := range members {
			var i instance
			if json.Unmarshal(value, &i) == nil {
				all[id] = i
			}
		}
		for _, h := range r.balance(beats.id, all) {
			h.end(ErrLeaseMoved)
		}
	}
}

// state returns the kind of the instances that compete for the same leases, and
// the value of this one.
func (r *balancer) state() (kind string, own instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	tokens := map[string]bool{}
	room := math.MaxInt
	for _, l := range r.leases {
		tokens[l.token] = true
		room = min(room, cmp.Or(l.cfg.Max, math.MaxInt))
	}
	held, waiting := r.held()
	hash := sha256.New()
	for _, token := range slices.Sorted(maps.Keys(tokens)) {
		_, _ = hash.Write([]byte(token + " "))
	}
	return "instances." + hex.EncodeToString(hash.Sum(nil)[:8]), instance{len(held), max(min(room-len(held), waiting), 0)}
}

// held returns the leases that this instance holds, and how many it waits for.
// A tenure that has ended, but whose function has not returned, is neither. mu
// is held.
func (r *balancer) held() (held []*lease, waiting int) {
	for _, l := range r.leases {
		switch {
		case l.holder == nil:
			waiting++
		case l.holder.Err() == nil:
			held = append(held, l)
		}
	}
	return held, waiting
}

// balance updates the share of this instance, and returns the tenures that must
// end. None ends while a value is out of date, such as that of an instance
// whose leases were taken over.
func (r *balancer) balance(id string, all map[string]instance) []*tenureCtx {
	_, all[id] = r.state()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known, r.share = true, shareOf(id, all, len(r.leases))
	sum := 0
	for _, i := range all {
		sum += i.Held
	}
	if sum > len(r.leases) {
		return nil
	}
	var surplus []*tenureCtx
	held, _ := r.held()
	slices.SortFunc(held, func(a, b *lease) int {
		return cmp.Or(cmp.Compare(a.holder.answers.Load(), b.holder.answers.Load()), a.since.Compare(b.since))
	})
	for _, l := range held[:max(len(held)-r.share, 0)] {
		surplus = append(surplus, l.holder)
	}
	return surplus
}

// shareOf returns how many leases an instance should hold. The numbers of the
// instances that have room differ by one at most. Instances that hold more have
// the greater number, so that few leases move.
func shareOf(id string, all map[string]instance, leases int) int {
	ids := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(cmp.Compare(all[b].Held, all[a].Held), cmp.Compare(a, b))
	})
	shares := map[string]int{}
	for given := true; given; {
		given = false
		for _, id := range ids {
			if leases > 0 && shares[id] < all[id].Held+all[id].Room {
				shares[id]++
				leases--
				given = true
			}
		}
	}
	return shares[id]
}
