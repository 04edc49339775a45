package chat

import (
	"context"
	"slices"
	"time"
)

// An other is an answer that may arrive in a chat and belongs to no open
// stream. It is the answer to an abandoned question, to a message that was not
// sent by Ask, or to a message of another member.
type other struct {
	own
	requestID string // of an abandoned question
	begun     bool   // a token has arrived
	until     time.Time
}

// maxOthers limits how many others are followed. More of them are replaced by
// one, which may arrive in any chat.
const maxOthers = 1024

// maxChatID limits the chat ids of others, which the server may choose. An
// other of a longer id may arrive in any chat.
const maxChatID = 256

// expect adds an other. ss.mu is held.
func (ss *streams) expect(o *other) {
	if ss.others >= maxOthers {
		for chat := range ss.byChat {
			ss.expire(chat)
		}
	}
	if ss.others >= maxOthers {
		for chat, a := range ss.byChat {
			for len(a.others) > 0 {
				ss.forget(a.others[len(a.others)-1])
			}
			ss.tidy(chat)
		}
		o = &other{}
	}
	if len(o.chat) > maxChatID {
		o = &other{}
	}
	o.until = ss.expiry()
	a := ss.chat(o.chat)
	a.others = append(a.others, o)
	a.grown++
	ss.grown++
	if o.chat == "" {
		ss.grownAny++
	}
	ss.others++
	ss.countOwn(o.own, 1)
	if o.requestID != "" {
		if ss.abandoned == nil {
			ss.abandoned = map[string]*other{}
		}
		ss.abandoned[o.requestID] = o
	}
	ss.updateFollowed()
}

// expiry returns the time until which an answer is expected whose sign of life
// is now; zero for no limit.
func (ss *streams) expiry() time.Time {
	if ss.cfg.AbandonedTimeout < 0 {
		return time.Time{}
	}
	return time.Now().Add(ss.cfg.AbandonedTimeout)
}

// forget removes an other, if it has not been removed. ss.mu is held.
func (ss *streams) forget(o *other) {
	a := ss.byChat[o.chat]
	if a == nil {
		return
	}
	for i := range a.others {
		if a.others[i] != o {
			continue
		}
		a.others = slices.Delete(a.others, i, i+1)
		ss.others--
		ss.countOwn(o.own, -1)
		if ss.abandoned[o.requestID] == o {
			delete(ss.abandoned, o.requestID)
		}
		if ss.fewer != nil {
			close(ss.fewer)
			ss.fewer = nil
		}
		ss.updateFollowed()
		return
	}
}

// expire removes the others of a chat that have expired. ss.mu is held.
func (ss *streams) expire(chat string) {
	a := ss.byChat[chat]
	if a == nil || len(a.others) == 0 || ss.cfg.AbandonedTimeout < 0 {
		return
	}
	for now := time.Now(); len(a.others) > 0 && now.After(a.expiry()); {
		ss.forget(a.others[0])
	}
	ss.tidy(chat)
}

// expiry returns the time at which the first other expires.
func (a *answers) expiry() time.Time { return latest(a.others[0].until, a.until) }

// othersIn returns the number of others that may arrive in a chat. ss.mu is
// held.
func (ss *streams) othersIn(chat string) (n int) {
	if ss.others == 0 {
		return 0
	}
	ss.chatsOf(chat, func(chat string) {
		ss.expire(chat)
		if a := ss.byChat[chat]; a != nil {
			n += len(a.others)
		}
	})
	return n
}

// findOther returns an other that may arrive in a chat, and has begun or not,
// or nil if there is none. ss.mu is held.
func (ss *streams) findOther(chat string, begun bool) (found *other) {
	ss.chatsOf(chat, func(chat string) {
		if a := ss.byChat[chat]; a != nil && found == nil {
			if i := slices.IndexFunc(a.others, func(o *other) bool { return o.begun == begun }); i >= 0 {
				found = a.others[i]
			}
		}
	})
	return found
}

// grownIn returns a number that grows with each other that may arrive in a
// chat, while a stream of the chat is open. ss.mu is held.
func (ss *streams) grownIn(chat string) uint64 {
	if chat == "" {
		return ss.grown
	}
	return ss.chat(chat).grown + ss.grownAny
}

// writing records that a message that Ask does not send is about to be sent.
// The backend may answer it. unsent takes that back.
func (ss *streams) writing(m own) (unsent func()) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if !ss.nameless() {
		return func() {}
	}
	o := &other{own: m}
	ss.expire(m.chat)
	ss.expect(o)
	return func() {
		ss.mu.Lock()
		defer ss.mu.Unlock()
		ss.forget(o)
		ss.tidy(o.chat)
	}
}

// awaitOthers waits until no other answer may arrive in a chat, at most
// AbandonedTimeout. It returns at once if the backend has not left requestId
// out. It returns the error of ctx if that ends first.
func (ss *streams) awaitOthers(ctx context.Context, chat string) error {
	var limit <-chan time.Time
	for {
		fewer, next := ss.nextOther(chat)
		if fewer == nil {
			return nil
		}
		if limit == nil && ss.cfg.AbandonedTimeout >= 0 {
			limit = time.After(ss.cfg.AbandonedTimeout)
		}
		var expiry <-chan time.Time
		if !next.IsZero() {
			expiry = time.After(time.Until(next) + 1)
		}
		select {
		case <-fewer:
		case <-expiry:
		case <-limit:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// nextOther returns a channel that is closed when there are fewer answers that
// may arrive in a chat, and the time at which the next of them expires. The
// channel is nil if there is nothing to wait for.
func (ss *streams) nextOther(chat string) (fewer <-chan struct{}, expiry time.Time) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if !ss.omits || ss.closed {
		return nil, time.Time{}
	}
	// A stream whose ctx has ended is about to be abandoned.
	var ending *Stream
	ss.chatsOf(chat, func(chat string) {
		if a := ss.byChat[chat]; a != nil {
			for s := range a.open {
				if s.alive.Err() != nil {
					ending = s
				}
			}
		}
	})
	if ending != nil {
		return ending.done, time.Time{}
	}
	if ss.othersIn(chat) == 0 {
		return nil, time.Time{}
	}
	if ss.fewer == nil {
		ss.fewer = make(chan struct{})
	}
	ss.chatsOf(chat, func(chat string) {
		if a := ss.byChat[chat]; a != nil && len(a.others) > 0 && (expiry.IsZero() || a.expiry().Before(expiry)) {
			expiry = a.expiry()
		}
	})
	return ss.fewer, expiry
}

// wroteEarly records that a message was sent before the first Ask.
func (ss *streams) wroteEarly() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	now := time.Now()
	if ss.earlyOver(now) {
		ss.early = 0
	}
	ss.early++
	ss.wroteAt = now
	ss.updateFollowed()
}

// begin is called by the first Ask, and when an event of an answer arrives
// before it. It expects the answers to the messages that were sent just before.
// ss.mu is held.
func (ss *streams) begin() {
	early := ss.early
	ss.early = 0
	defer ss.updateFollowed()
	if ss.used.Swap(true) || ss.earlyOver(time.Now()) {
		return
	}
	for range min(early, maxOthers) {
		ss.expect(&other{})
	}
}

// earlyOver reports whether the answers to early messages are not expected any
// more. ss.mu is held.
func (ss *streams) earlyOver(now time.Time) bool {
	return ss.cfg.AbandonedTimeout >= 0 && now.Sub(ss.wroteAt) > ss.cfg.AbandonedTimeout
}
