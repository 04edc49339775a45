package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

const (
	maxBody = 64 << 10 // bytes of a command
	maxText = 8 << 10  // bytes of a message
	maxCut  = time.Minute
)

// command returns the handler of one command of a tab. It decodes the body into
// T and encodes the result of run, if there is one.
func command[T any](p *playground, run func(*session, context.Context, T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := p.session(r.PathValue("id"))
		if s == nil {
			http.Error(w, "the session of this tab has ended: reload the page", http.StatusNotFound)
			return
		}
		var body T
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		reply, err := run(s, r.Context(), body)
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		case reply == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(reply)
		}
	}
}

type none struct{}

// ask sends a message and streams its answer. It returns at once. The message
// waits for the connection in a goroutine of the session, and its end is
// published as an outcome.
func (s *session) ask(_ context.Context, body struct{ Text string }) (any, error) {
	text := strings.TrimSpace(body.Text)
	if text == "" || len(text) > maxText {
		return nil, fmt.Errorf("a message must have between 1 and %d bytes", maxText)
	}
	q := chat.Question{UserID: s.user, Text: text, MessageID: rand.Text(), RequestID: rand.Text()}
	ctx, abort := context.WithCancel(s.ctx)
	s.mu.Lock()
	s.questions[q.RequestID] = abort
	s.mu.Unlock()
	s.tasks.Go(func() { // ends with the answer, with abort or with s.ctx
		err := s.answer(ctx, q)
		s.mu.Lock()
		delete(s.questions, q.RequestID)
		s.mu.Unlock()
		abort()
		s.outcomes.Publish(outcomeOf(q.RequestID, err))
	})
	return map[string]string{"messageId": q.MessageID, "requestId": q.RequestID}, nil
}

// outcomeOf returns how a question has ended. An error of the AI has the same
// message and code as its AI_ERROR event, because the page shows the first that
// it receives.
func outcomeOf(requestID string, err error) outcome {
	end := outcome{RequestID: requestID}
	var failed *events.AIError
	switch {
	case errors.As(err, &failed):
		end.Error = &failure{Message: failed.Message, Code: failed.Code}
	case err != nil:
		end.Error = &failure{Message: err.Error()}
		end.Aborted = errors.Is(err, context.Canceled)
	}
	return end
}

// answer asks and waits for the end of the answer. The tab receives its tokens
// together with the other events of the chat.
func (s *session) answer(ctx context.Context, q chat.Question) error {
	stream, err := s.client.Ask(ctx, q)
	if err != nil {
		return err
	}
	s.note(events.KeyUserMessage, events.UserMessage{
		ChatID: s.room, RequestID: q.RequestID, MessageID: q.MessageID, UserID: q.UserID, Text: q.Text,
	})
	_, err = stream.Wait()
	return err
}

// abort stops an answer. The end of a question's ctx sends ai:abort. The answer
// to a question of another tab is stopped with Client.Abort.
func (s *session) abort(ctx context.Context, body struct{ RequestID string }) (any, error) {
	s.note(events.KeyAIAbort, events.Abort{ChatID: s.room, RequestID: body.RequestID})
	s.mu.Lock()
	stop := s.questions[body.RequestID]
	s.mu.Unlock()
	if stop != nil {
		stop()
		return nil, nil
	}
	return nil, s.client.Abort(ctx, events.Abort{RequestID: body.RequestID})
}

// typing reports that the user has started or stopped typing. It does nothing
// without a connection.
func (s *session) typing(ctx context.Context, body struct{ Typing bool }) (any, error) {
	key, say := events.KeyUserTypingStop, s.client.TypingStop
	if body.Typing {
		key, say = events.KeyUserTypingStart, s.client.TypingStart
	}
	err := say(ctx, s.user)
	if err == nil {
		s.note(key, events.Typing{ChatID: s.room, UserID: s.user})
	}
	if errors.Is(err, conn.ErrNotReady) {
		err = nil
	}
	return nil, err
}

// read reports that the user has read messages.
func (s *session) read(ctx context.Context, body struct{ MessageIDs []string }) (any, error) {
	seen := events.Read{UserID: s.user, MessageIDs: body.MessageIDs, ReadAt: time.Now()}
	err := s.client.MarkRead(ctx, seen)
	if err == nil {
		seen.ChatID = s.room
		s.note(events.KeyChatRead, seen)
	}
	return nil, err
}

// rename changes event names: at the backend, which sends them to every tab, or
// in this tab only.
func (s *session) rename(ctx context.Context, body struct {
	Names   map[events.Key]string
	Backend bool
}) (any, error) {
	if body.Backend {
		return nil, s.panel.do(ctx, http.MethodPatch, "names", body.Names)
	}
	return nil, s.client.SetNames(body.Names)
}

// cut breaks the tab's connection and prevents new ones for a while.
func (s *session) cut(_ context.Context, body struct{ Seconds float64 }) (any, error) {
	if !(body.Seconds >= 0 && body.Seconds <= maxCut.Seconds()) {
		return nil, errors.New("the network can be cut for a minute at most")
	}
	s.network.cut(time.Duration(body.Seconds * float64(time.Second)))
	return nil, nil
}

// kick makes the backend disconnect this tab's client.
func (s *session) kick(ctx context.Context, _ none) (any, error) {
	id := s.client.State().SessionID
	if id == "" {
		return nil, errors.New("this tab is not connected")
	}
	return nil, s.panel.do(ctx, http.MethodPost, "kick", map[string]string{"id": id})
}

// reconnect runs the client again after the server disconnected it.
func (s *session) reconnect(context.Context, none) (any, error) {
	s.connect()
	return nil, nil
}

// note logs a sent event.
func (s *session) note(key events.Key, payload any) {
	s.sent.Publish(sent{s.client.EventName(key), payload})
}
