package chat

import (
	"cmp"
	"time"

	"github.com/seed67206a74/parley/events"
)

// A backend may leave requestId out. This file decides which stream an event
// without it belongs to, and others.go follows the answers that belong to no
// stream.

// answers are the answers of one chat that may arrive without requestId.
type answers struct {
	open   map[*Stream]struct{} // sent, and the backend has not used their request ids
	others []*other
	until  time.Time      // when others are forgotten; zero for never
	users  map[string]int // number of own messages in open and others, by user
	grown  uint64         // number of others since the first
}

// own identifies a message of this client. The zero value is a message of
// another client.
type own struct {
	chat      string // the text of its chat's id; "" for any chat
	messageID string
	user      string
}

func ownMessage(chatID events.ID, messageID string, userID events.ID) own {
	return own{chatID.String(), messageID, userID.String()}
}

// chat returns the answers of a chat. ss.mu is held.
func (ss *streams) chat(chat string) *answers {
	a := ss.byChat[chat]
	if a == nil {
		if ss.byChat == nil {
			ss.byChat = map[string]*answers{}
		}
		a = &answers{open: map[*Stream]struct{}{}, users: map[string]int{}}
		ss.byChat[chat] = a
	}
	return a
}

// tidy forgets the answers of a chat if there are none. ss.mu is held.
func (ss *streams) tidy(chat string) {
	if a := ss.byChat[chat]; a != nil && len(a.open) == 0 && len(a.others) == 0 {
		delete(ss.byChat, chat)
	}
}

// countOwn adds n to the number of own messages of that kind. ss.mu is held.
func (ss *streams) countOwn(m own, n int) {
	a := ss.chat(m.chat)
	if m.user != "" {
		if a.users[m.user] += n; a.users[m.user] == 0 {
			delete(a.users, m.user)
		}
	}
	if m.messageID == "" {
		return
	}
	if ss.messages == nil {
		ss.messages = map[string]int{}
	}
	if ss.messages[m.messageID] += n; ss.messages[m.messageID] == 0 {
		delete(ss.messages, m.messageID)
	}
}

// sent records that the question of a stream is about to be sent. From now on
// its answer may arrive.
func (ss *streams) sent(s *Stream) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	a := ss.chat(s.own.chat)
	if _, again := a.open[s]; again || s.named {
		return
	}
	a.open[s] = struct{}{}
	ss.unnamed++
	ss.countOwn(s.own, 1)
	s.alone = ss.othersIn(s.own.chat) == 0
	s.grown = ss.grownIn(s.own.chat)
}

// leave records that no event without requestId belongs to a stream any more,
// and reports whether one did until now. ss.mu is held.
func (ss *streams) leave(s *Stream) bool {
	a := ss.byChat[s.own.chat]
	if a == nil {
		return false
	}
	if _, open := a.open[s]; !open {
		return false
	}
	delete(a.open, s)
	ss.unnamed--
	ss.countOwn(s.own, -1)
	ss.tidy(s.own.chat)
	return true
}

// abandon is leave for a stream that ends. Its question may still be answered,
// more than once if it was asked again. ss.mu is held.
func (ss *streams) abandon(s *Stream, answered bool) {
	if !ss.leave(s) {
		return
	}
	left := s.asks
	if answered {
		left--
	}
	for range left {
		ss.expect(&other{own: s.own, requestID: s.question.RequestID, begun: s.hasTokens()})
	}
}

// chatsOf calls yield with the chats whose answers may arrive in the given
// chat. ss.mu is held.
func (ss *streams) chatsOf(chat string, yield func(chat string)) {
	if chat != "" {
		yield(chat)
		yield("")
		return
	}
	for chat := range ss.byChat {
		yield(chat)
	}
}

// anonymous returns the stream of an event without requestId: the only open
// stream of the chat, if there was no other while it was open. Otherwise, if
// the event is part of an answer, it returns the streams that it may belong to.
func (ss *streams) anonymous(event events.Event, chatID events.ID) (only *Stream, ambiguous []*Stream) {
	chat := chatID.String()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	open := ss.unnamed
	if chat != "" {
		open = 0
		ss.chatsOf(chat, func(chat string) {
			if a := ss.byChat[chat]; a != nil {
				open += len(a.open)
			}
		})
	}
	answer := isAnswer(event)
	if open == 0 && ss.nameless() {
		ss.stray(chat, event)
	}
	if open == 0 || open > 1 && !answer {
		return nil, nil
	}
	ss.omits = true
	ss.updateFollowed()
	ss.chatsOf(chat, func(chat string) {
		if a := ss.byChat[chat]; a != nil {
			for s := range a.open {
				ambiguous = append(ambiguous, s)
			}
		}
	})
	if s := ambiguous[0]; open == 1 && s.alone && s.grown == ss.grownIn(s.own.chat) {
		return s, nil
	}
	if !answer {
		return nil, nil
	}
	return nil, ambiguous
}

// isAnswer reports whether an event is a part of an answer that a wrong stream
// must not receive.
func isAnswer(event events.Event) bool {
	switch event.(type) {
	case events.AIToken, events.AIMessage, events.AIError:
		return true
	}
	return false
}

// nameless reports whether the backend leaves requestId out, as far as is
// known. ss.mu is held.
func (ss *streams) nameless() bool { return ss.omits || !ss.names }

// stray follows an event without requestId that belongs to no open stream: it
// is of an other. Only the number of others matters, not which of them it is.
// ss.mu is held.
func (ss *streams) stray(chat string, event events.Event) {
	if !isAnswer(event) {
		return
	}
	ss.omits = true
	defer ss.updateFollowed()
	ss.begin()
	ss.othersIn(chat) // removes the expired ones
	begun, waiting := ss.findOther(chat, true), ss.findOther(chat, false)
	if token, ok := event.(events.AIToken); ok {
		o := begun
		if token.Index <= 0 || begun == nil {
			o = waiting // it begins
		}
		if o == nil {
			ss.expect(&other{own: own{chat: chat}, begun: true})
			return
		}
		o.begun = true
		// The event does not show which of them it is of.
		until := ss.expiry()
		ss.chatsOf(chat, func(chat string) {
			if a := ss.byChat[chat]; a != nil {
				a.until = until
			}
		})
	} else if o := cmp.Or(begun, waiting); o != nil {
		ss.forget(o)
		ss.tidy(o.chat)
	}
}

// posted follows a message in a chat. If it is not of this client, it may be a
// question, whose answer is an other.
func (ss *streams) posted(m events.ChatMessage) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if !ss.nameless() || ss.messages[m.MessageID] > 0 || m.RequestID != "" && (ss.byRequest[m.RequestID] != nil || ss.abandoned[m.RequestID] != nil) {
		return
	}
	mine := false
	chat, user := m.ChatID.String(), m.UserID.String()
	ss.chatsOf(chat, func(chat string) {
		mine = mine || ss.byChat[chat] != nil && ss.byChat[chat].users[user] > 0
	})
	if !mine {
		ss.expire(chat)
		ss.expect(&other{own: own{chat: chat}})
	}
}

// withdraw records that the question of a stream was not sent.
func (ss *streams) withdraw(s *Stream) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.leave(s)
}

// abandoning records that a stream is about to end, by a decision of this
// client.
func (ss *streams) abandoning(s *Stream) {
	answered := s.hasFinal()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.abandon(s, answered)
}
