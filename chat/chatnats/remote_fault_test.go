package chatnats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

var otherRoom = events.StringID("other-room")

func TestRemote_givesAnswerToItsAskerAlone(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	release := make(chan struct{})
	client := newHolder(t, newBackend(t, func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
		<-release
		chattest.Echo(0)(ctx, q, emit)
	}).URL)
	require.NoError(t, client.Join(wiretest.Context(t), otherRoom))
	serve(t, newBus(t, server.URL, Config{}), client, longLease, room, otherRoom)
	b := newBus(t, server.URL, Config{})
	one := &Remote{Bus: b, ChatID: room}
	two := &Remote{Bus: b, ChatID: otherRoom, Lease: room}
	first, err := one.Ask(wiretest.Context(t), chat.Question{UserID: events.IntID(1), RequestID: "1", Text: "one"})
	require.NoError(t, err)
	for _, remote := range []*Remote{one, two} {
		_, err = remote.Ask(wiretest.Context(t), chat.Question{UserID: events.IntID(2), RequestID: "1", Text: "two"})
		require.ErrorIs(t, err, chat.ErrDuplicateRequest, "as chat.Client.Ask")
		var failed *RemoteError
		require.ErrorAs(t, err, &failed)
		require.False(t, failed.MaybeSent)
	}
	close(release)
	final, err := first.Wait()
	require.NoError(t, err)
	require.Equal(t, "You said: one", final.Text)
	for _, remote := range []*Remote{one, two} { // and the id is free again
		second, err := remote.Ask(wiretest.Context(t), chat.Question{UserID: events.IntID(2), RequestID: "1", Text: "two"})
		require.NoError(t, err)
		final, err := second.Wait()
		require.NoError(t, err)
		require.Equal(t, "You said: two", final.Text)
	}
}

func TestRemote_asksAgainAfterFailureUnderSameID(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	serveRoom(t, newBus(t, server.URL, Config{}), newHolder(t, newBackend(t, chattest.Echo(0)).URL))
	remote := &Remote{Bus: newBus(t, server.URL, Config{}), ChatID: room}
	_, err := remote.Ask(wiretest.Context(t), chat.Question{RequestID: "1", Text: "x"})
	require.ErrorIs(t, err, chat.ErrNoUser)
	answer, err := remote.Ask(wiretest.Context(t), chat.Question{RequestID: "1", Text: "x", UserID: events.IntID(1)})
	require.NoError(t, err)
	_, err = answer.Wait()
	require.NoError(t, err)
}

// requestTo sends a request without a Remote.
func requestTo(t testing.TB, b *Bus, chat events.ID, verb, reply string, body any) {
	t.Helper()
	revision, err := b.find(wiretest.Context(t), tokenOf(room), tokenOf(chat))
	require.NoError(t, err)
	msg := nats.NewMsg(b.holder(tokenOf(room), revision, tokenOf(chat)))
	msg.Header.Set(headerVerb, verb)
	msg.Reply = reply
	msg.Data, err = json.Marshal(body)
	require.NoError(t, err)
	require.NoError(t, b.conn.PublishMsg(msg))
	require.NoError(t, b.conn.Flush())
}

func TestServe_repliesToInboxesAlone(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	backend := newBackend(t, chattest.Echo(0))
	client := newHolder(t, backend.URL)
	serveRoom(t, newBus(t, server.URL, Config{}), client)
	b := newBus(t, server.URL, Config{})
	_, err := b.find(wiretest.Context(t), tokenOf(room), tokenOf(room))
	require.NoError(t, err)
	before := len(stored(t, b))
	for i, reply := range []string{"parley.room.AI_TOKEN", "$KV.parley.leases.room", "$JS.API.STREAM.PURGE.parley", "orders.new", ""} {
		requestTo(t, b, room, verbSend, reply, events.UserMessage{UserID: events.IntID(1), MessageID: fmt.Sprint(i), Text: "x"})
		requestTo(t, b, room, verbAsk, reply, question{chat.Question{UserID: events.IntID(1), Text: "x"}, "a"})
	}
	remote := &Remote{Bus: b, ChatID: room}
	require.NoError(t, remote.SendMessage(wiretest.Context(t), events.UserMessage{UserID: events.IntID(1), MessageID: "end", Text: "x"}))
	require.Equal(t, "end", received(t, backend).MessageID, "none of the others was performed")
	require.Len(t, stored(t, b), before)
	holder, err := Holder(wiretest.Context(t), b, room)
	require.NoError(t, err)
	require.NotEmpty(t, holder)
}

// received returns the next message that the backend has received.
func received(t testing.TB, backend *chattest.Server) (m events.UserMessage) {
	require.NoError(t, backend.Expect(t, "user:message", nil).Decode(&m))
	return m
}

func TestServe_speaksInTheChatOfTheSubjectAlone(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	backend := newBackend(t, chattest.Echo(0))
	client := newHolder(t, backend.URL)
	require.NoError(t, client.Join(wiretest.Context(t), otherRoom))
	serve(t, newBus(t, server.URL, Config{}), client, longLease, room, otherRoom)
	b := newBus(t, server.URL, Config{})
	ctx, user := wiretest.Context(t), events.IntID(1)
	remote := &Remote{Bus: b, ChatID: room}
	_, askErr := remote.Ask(ctx, chat.Question{ChatID: otherRoom, UserID: user, Text: "x"})
	_, deliverErr := remote.Deliver(ctx, events.UserMessage{ChatID: otherRoom, MessageID: "m", UserID: user})
	for verb, err := range map[string]error{
		"ask":     askErr,
		"deliver": deliverErr,
		"send":    remote.SendMessage(ctx, events.UserMessage{ChatID: otherRoom, MessageID: "m", UserID: user}),
		"abort":   remote.Abort(ctx, events.Abort{ChatID: otherRoom}),
		"read":    remote.MarkRead(ctx, events.Read{ChatID: otherRoom, UserID: user, MessageIDs: []string{}, ReadAt: time.Now()}),
		"emit":    remote.Emit(ctx, "user:message", map[string]any{"chatId": otherRoom}),
	} {
		require.ErrorIs(t, err, ErrOtherChat, verb)
	}
	inbox := b.conn.NewInbox()
	replies, err := b.conn.SubscribeSync(inbox)
	require.NoError(t, err)
	requestTo(t, b, room, verbAsk, inbox, question{chat.Question{ChatID: otherRoom, UserID: user, Text: "x"}, "a"})
	refused, err := replies.NextMsgWithContext(ctx)
	require.NoError(t, err)
	require.Contains(t, string(refused.Data), ErrOtherChat.Error())
	require.Empty(t, backend.Received("user:message"))

	other := &Remote{Bus: b, ChatID: otherRoom, Lease: room}
	require.NoError(t, other.TypingStart(ctx, user))
	require.NoError(t, other.Emit(ctx, "user:message", map[string]any{"messageId": "m", "userId": 1, "text": "x"}))
	require.Equal(t, otherRoom, received(t, backend).ChatID)
	backend.Expect(t, "user:typingStart", map[string]any{"chatId": "other-room"})
}

func TestRemote_isBoundByPermissionsOfItsChat(t *testing.T) {
	t.Parallel()
	userURL, adminURL := newUserServer(t, &server.Permissions{
		Publish: &server.SubjectPermission{Allow: []string{
			"parley.holder.*.*.room", "$JS.API.STREAM.INFO.*", "$JS.API.DIRECT.GET.KV_parley.$KV.parley.leases.>",
		}},
		Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
	})
	client := newHolder(t, newBackend(t, chattest.Echo(0)).URL)
	require.NoError(t, client.Join(wiretest.Context(t), otherRoom))
	serve(t, newBus(t, adminURL, Config{}), client, longLease, room, otherRoom)
	b := newBus(t, userURL, Config{})
	answer, err := (&Remote{Bus: b, ChatID: room}).Ask(wiretest.Context(t), ask)
	require.NoError(t, err)
	_, err = answer.Wait()
	require.NoError(t, err)
	_, err = (&Remote{Bus: b, ChatID: otherRoom, Lease: room, Deadline: time.Second}).Ask(wiretest.Context(t), ask)
	require.Error(t, err)
}

func TestRemote_losesNoCallWhileHoldersFollowEachOther(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	backend := newBackend(t, nil)
	holders := [2]*Bus{newBus(t, server.URL, Config{}), newBus(t, server.URL, Config{})}
	clients := [2]*chat.Client{newHolder(t, backend.URL), newHolder(t, backend.URL)}
	stop := serveRoom(t, holders[0], clients[0])
	remote := &Remote{Bus: newBus(t, server.URL, Config{}), ChatID: room, Deadline: patience}
	const callers, calls = 8, 150
	var calling sync.WaitGroup
	halfway := make(chan struct{}, callers)
	errs := make(chan error, callers*calls)
	for caller := range callers {
		calling.Go(func() { // ends with its calls
			for i := range calls {
				errs <- remote.SendMessage(wiretest.Context(t), events.UserMessage{
					MessageID: fmt.Sprintf("%d-%d", caller, i), UserID: events.IntID(1), Text: "x",
				})
				if i == calls/3 {
					halfway <- struct{}{}
				}
			}
		})
	}
	wiretest.ReceiveFrom(t, halfway)
	serveRoom(t, holders[1], clients[1])
	stop()
	calling.Wait()
	for range callers * calls {
		require.NoError(t, <-errs)
	}
	seen := map[string]int{}
	for range callers * calls {
		seen[received(t, backend).MessageID]++
	}
	require.Len(t, seen, callers*calls, "each message has reached the backend, once")
}

func TestRemote_passesHolderThatIsCutOff(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	backend := newBackend(t, nil)
	cut := newProxy(t, server.URL)
	short := LeaseConfig{TTL: 2 * time.Second}
	serve(t, newBus(t, cut.URL, Config{}), newHolder(t, backend.URL), short, room)
	b := newBus(t, server.URL, Config{})
	remote := &Remote{Bus: b, ChatID: room, Deadline: patience}
	send := func(id string) error {
		return remote.SendMessage(wiretest.Context(t), events.UserMessage{MessageID: id, UserID: events.IntID(1), Text: "x"})
	}
	require.NoError(t, send("before"))
	serve(t, newBus(t, server.URL, Config{}), newHolder(t, backend.URL), short, room)
	require.Eventually(t, func() bool { return time.Since(b.holders.of(tokenOf(room)).alive) > fresh }, patience, time.Millisecond)
	cut.cut()
	for i := range 100 {
		require.NoError(t, send(fmt.Sprint(i)))
	}
	cut.mend() // the requests to the first holder arrive now
	require.NoError(t, send("after"))
	require.Equal(t, "before", received(t, backend).MessageID)
	for i := range 100 {
		require.Equal(t, fmt.Sprint(i), received(t, backend).MessageID)
	}
	require.Equal(t, "after", received(t, backend).MessageID)
}

func TestServe_takesABurst(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	client, err := chat.New("http://127.0.0.1:1", chat.Config{ChatID: room}) // it does not run: the burst is for Serve
	require.NoError(t, err)
	serveRoom(t, newBus(t, server.URL, Config{}), client)
	remote := &Remote{Bus: newBus(t, server.URL, Config{}), ChatID: room, Deadline: 10 * patience}
	const calls = 6000
	errs := make(chan error, calls)
	for range calls {
		// Ends with the call.
		go func() { errs <- remote.TypingStart(context.Background(), events.IntID(1)) }()
	}
	for range calls {
		require.ErrorIs(t, wiretest.ReceiveFrom(t, errs), conn.ErrNotReady, "the word of the client")
	}
}

func TestRemote_streamsEventsAboveMaxPayload(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	text := strings.Repeat("0123456789", 120_000) // 1.2 MB; NATS takes 1
	client := newHolder(t, newBackend(t, func(_ context.Context, q events.UserMessage, emit func(events.Event)) {
		for i := range 3 {
			emit(events.AIToken{Token: text, Index: i})
		}
		m := message("room", q.RequestID)
		m.Text = text
		emit(m)
	}).URL)
	serveRoom(t, newBus(t, server.URL, Config{}), client)
	remote := &Remote{Bus: newBus(t, server.URL, Config{}), ChatID: room, Deadline: patience}
	answer, err := remote.Ask(wiretest.Context(t), ask)
	require.NoError(t, err)
	count := 0
	for token := range answer.Tokens() {
		require.Equal(t, text, token.Token)
		count++
	}
	_, err = answer.Wait()
	require.NoError(t, err)
	require.Equal(t, 3, count)
	final, err := answer.Wait()
	require.NoError(t, err)
	require.Equal(t, text, final.Text)
	_, err = remote.Ask(wiretest.Context(t), chat.Question{UserID: events.IntID(1), Text: text})
	require.ErrorIs(t, err, nats.ErrMaxPayload)
}

func TestServe_abortsQuestionOfCutOffRemote(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	cut := newProxy(t, server.URL)
	aborted := make(chan string, 1)
	client := newHolder(t, newBackend(t, func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
		emit(events.AIToken{Token: "Well", Index: 0})
		<-ctx.Done()
		aborted <- q.RequestID
	}).URL)
	serveRoom(t, newBus(t, server.URL, Config{}), client)
	remote := &Remote{Bus: newBus(t, cut.URL, Config{}), ChatID: room, Deadline: 5 * time.Second}
	answer, err := remote.Ask(wiretest.Context(t), ask)
	require.NoError(t, err)
	wiretest.ReceiveFrom(t, answer.Tokens())
	cut.cut()
	defer cut.mend()
	require.Equal(t, answer.RequestID(), wiretest.ReceiveFrom(t, aborted))
	_, err = answer.Wait()
	require.ErrorIs(t, err, ErrHolderLost)
}

func TestStream_behavesLikeChatStream(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	client := newHolder(t, newBackend(t, func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
		emit(events.AIProcessing{Status: events.StatusWorking})
		chattest.Echo(0)(ctx, q, emit)
		if q.Text == "endless" {
			<-ctx.Done()
		}
	}).URL)
	serveRoom(t, newBus(t, server.URL, Config{}), client)
	remote := &Remote{Bus: newBus(t, server.URL, Config{}), ChatID: room}
	askers := map[string]func(context.Context, chat.Question) (Answer, error){
		"here":         func(ctx context.Context, q chat.Question) (Answer, error) { return client.Ask(ctx, q) },
		"through NATS": func(ctx context.Context, q chat.Question) (Answer, error) { return remote.Ask(ctx, q) },
	}
	var said []string
	for name, asker := range askers {
		t.Run(name, func(t *testing.T) {
			// One web handler for both.
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer, err := asker(r.Context(), ask)
				if err != nil {
					http.Error(w, err.Error(), http.StatusBadGateway)
					return
				}
				for event, err := range answer.Events() {
					fmt.Fprintf(w, "%T %v\n", event, err)
				}
				final, err := answer.Wait()
				p := answer.Progress()
				fmt.Fprintln(w, final.Text, err, p.Text, p.Tokens, p.Status.Status, p.Usage.CompletionTokens, p.FirstToken > 0, p.Ended)
			}))
			defer web.Close()
			response, err := web.Client().Get(web.URL)
			require.NoError(t, err)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			web.Client().CloseIdleConnections()
			said = append(said, string(body))

			answer, err := asker(wiretest.Context(t), chat.Question{UserID: events.IntID(1), Text: "abort"})
			require.NoError(t, err)
			answer.Abort("enough")
			_, err = answer.Wait()
			require.True(t, err == nil || errors.Is(err, chat.ErrAborted), err)
		})
	}
	require.Len(t, said, 2)
	require.Equal(t, said[0], said[1])
	require.Contains(t, said[0], "AIProcessing")
}

func TestStream_Abort_stopsTheBackend(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	aborted := make(chan string, 1)
	backend := newBackend(t, func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
		emit(events.AIToken{Token: "Well", Index: 0})
		<-ctx.Done()
		aborted <- q.RequestID
	})
	serveRoom(t, newBus(t, server.URL, Config{}), newHolder(t, backend.URL))
	answer, err := (&Remote{Bus: newBus(t, server.URL, Config{}), ChatID: room}).Ask(wiretest.Context(t), ask)
	require.NoError(t, err)
	wiretest.ReceiveFrom(t, answer.Tokens())
	answer.Abort("enough")
	answer.Abort("again")
	_, err = answer.Wait()
	require.ErrorIs(t, err, chat.ErrAborted)
	require.Equal(t, answer.RequestID(), wiretest.ReceiveFrom(t, aborted))
	backend.Expect(t, "ai:abort", map[string]any{"requestId": answer.RequestID(), "reason": "enough"})
	require.True(t, answer.Progress().Ended)
}

func TestServe_needsALease(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, Serve(t.Context(), newBus(t, newServer(t).URL, Config{}), nil, room), ErrNoLease)
}
