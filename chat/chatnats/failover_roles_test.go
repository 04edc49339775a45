package chatnats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/require"
)

const (
	killRooms   = 10
	killAnswers = 100
	killTokens  = 40
	killPace    = 100 * time.Millisecond
)

func killRoom(i int) events.ID { return events.StringID(fmt.Sprintf("room-%d", i%killRooms)) }

func init() {
	// A holder competes for the socket. It prints "holding" when it has joined
	// the rooms, and "left" when its lease is lost.
	roles["holder"] = func(ctx context.Context, args map[string]string) error {
		b, err := openUntil(ctx, args["URL"])
		if err != nil {
			return err
		}
		return RunWithLease(ctx, b, room, LeaseConfig{TTL: 2 * time.Second, ID: args["ID"]}, func(ctx context.Context) error {
			client, err := chat.New(args["CHAT"], chat.Config{ChatID: killRoom(0), JoinTimeout: patience})
			if err != nil {
				return err
			}
			defer func() { _ = client.Close() }()
			defer context.AfterFunc(ctx, func() { fmt.Println("left") })()
			forwarding, err := Forward(ctx, b, client.Events, ForwardConfig{})
			if err != nil {
				return err
			}
			go func() { _ = client.Run(ctx) }() // ends with ctx
			rooms := make([]events.ID, killRooms)
			for i := range rooms {
				rooms[i] = killRoom(i)
				if err := client.Join(ctx, rooms[i]); err != nil {
					return err
				}
			}
			fmt.Println("holding")
			var serving sync.WaitGroup
			defer serving.Wait()
			serving.Go(func() { _ = Serve(ctx, b, client, rooms...) }) // ends with ctx
			return forwarding.Wait()
		})
	}
	// A worker prints each token that it handles: "<nanoseconds> <request>
	// <index>".
	roles["worker"] = func(ctx context.Context, args map[string]string) error {
		b, err := openUntil(ctx, args["URL"])
		if err != nil {
			return err
		}
		return Work(ctx, b, GroupConfig{Name: "answers", Sequence: 1}, func(_ context.Context, d Delivery) error {
			if token, ok := d.Event.(events.AIToken); ok && strings.HasPrefix(token.RequestID, "r") {
				fmt.Println(time.Now().UnixNano(), token.RequestID, token.Index)
			}
			return nil
		})
	}
	// An asker asks several questions at a time through the holder. It prints
	// the outcome of each: "<request> answered <text>", "<request> unsent
	// <error>" or "<request> failed <error>".
	roles["asker"] = func(ctx context.Context, args map[string]string) error {
		b, err := openUntil(ctx, args["URL"])
		if err != nil {
			return err
		}
		var asking sync.WaitGroup
		for lane := range killRooms {
			asking.Go(func() { // ends with the process
				remote := &Remote{Bus: b, ChatID: killRoom(lane), Lease: room, Deadline: 5 * time.Second}
				for n := 0; ; n++ {
					id := fmt.Sprintf("a-%s-%d-%d", args["ID"], lane, n)
					answer, err := remote.Ask(ctx, chat.Question{UserID: events.IntID(1), RequestID: id, MessageID: id, Text: "?"})
					if err == nil {
						_, err = answer.Wait()
					}
					var failed *RemoteError
					switch {
					case err == nil:
						fmt.Println(id, "answered", answer.Progress().Text)
					case errors.As(err, &failed) && !failed.MaybeSent:
						fmt.Println(id, "unsent", err)
					default:
						fmt.Println(id, "failed", err)
					}
				}
			})
		}
		asking.Wait()
		return nil
	}
}

const askedText = "one two three four five six seven eight nine ten"

// A resuming backend sends answers at its own pace while a holder is connected.
// A new holder gets open answers from their start, because readers would
// otherwise miss the tokens that no holder has received.
type resuming struct {
	mu        sync.Mutex
	changed   chan struct{}
	listeners int  // number of listeners so far
	listening bool // there is a listener
	limit     int  // how many tokens of each answer may be sent now
}

func newResuming() *resuming {
	return &resuming{changed: make(chan struct{}), limit: killTokens * 3 / 4}
}

// finish lets the answers continue to their end.
func (r *resuming) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limit = killTokens + 1
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *resuming) listener(there bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listening = there; there {
		r.listeners++
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *resuming) look() (listeners, limit int, listening bool, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.listeners, r.limit, r.listening, r.changed
}

func (r *resuming) answer(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
	if strings.HasPrefix(q.RequestID, "a-") {
		chattest.Say(askedText, 20*time.Millisecond)(ctx, q, emit)
		return
	}
	said, known := 0, 0
	say := func(i int) {
		if i < killTokens {
			emit(token(q.ChatID.String(), q.RequestID, i))
		} else {
			emit(message(q.ChatID.String(), q.RequestID))
		}
	}
	pace := time.NewTicker(killPace)
	defer pace.Stop()
	for ctx.Err() == nil {
		listeners, limit, listening, changed := r.look()
		if listening && listeners != known {
			for i := range said {
				say(i)
			}
			known = listeners
		}
		var tick <-chan time.Time
		if listening && said < limit {
			tick = pace.C
		}
		select {
		case <-tick:
			if _, _, listening, _ := r.look(); listening {
				say(said)
				said++
			}
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// A tally records the tokens that the workers have handled in a round. Events
// of earlier rounds, which may be redelivered, are skipped.
type tally struct {
	mu    sync.Mutex
	round string             // prefix of its request ids
	first map[string][]int64 // by request: when each token was first handled, 0 for not yet
	count int                // number of handled tokens
	more  chan struct{}      // signals a handled token
}

func newTally() *tally { return &tally{first: map[string][]int64{}, more: make(chan struct{}, 1)} }

// read records the lines of a worker.
func (l *tally) read(t testing.TB, worker *child) {
	for line := range worker.lines {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue // cut off by a kill
		}
		at, err := strconv.ParseInt(fields[0], 10, 64)
		require.NoError(t, err)
		index, err := strconv.Atoi(fields[2])
		require.NoError(t, err)
		l.mu.Lock()
		if !strings.HasPrefix(fields[1], l.round) {
			l.mu.Unlock()
			continue
		}
		if l.first[fields[1]] == nil {
			l.first[fields[1]] = make([]int64, killTokens)
		}
		switch was := l.first[fields[1]][index]; {
		case was == 0:
			l.count++
			fallthrough
		case at < was:
			l.first[fields[1]][index] = at
		}
		l.mu.Unlock()
		select {
		case l.more <- struct{}{}:
		default:
		}
	}
}

// begin starts a round.
func (l *tally) begin(round int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.round, l.first, l.count = fmt.Sprintf("r%d-", round), map[string][]int64{}, 0
}

func (l *tally) done() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}
