package chatnats

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

// newBackend starts a chat backend, and newHolder a client of its room.
func newBackend(t testing.TB, answer chattest.Answer) *chattest.Server {
	backend := chattest.NewServer(chattest.Config{Answer: answer})
	t.Cleanup(backend.Close)
	return backend
}

func newHolder(t testing.TB, url string) *chat.Client {
	client, err := chat.New(url, chat.Config{ChatID: room})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	running(t, client.Run)
	require.NoError(t, client.Ready(wiretest.Context(t)))
	return client
}

// serve holds the lease of the room and serves chats until the test ends.
func serve(t testing.TB, b *Bus, client *chat.Client, cfg LeaseConfig, chats ...events.ID) (stop func()) {
	return running(t, func(ctx context.Context) error {
		return RunWithLease(ctx, b, room, cfg, func(ctx context.Context) error {
			return Serve(ctx, b, client, chats...)
		})
	})
}

// longLease is a lease that a busy machine renews in time.
var longLease = LeaseConfig{TTL: time.Minute}

func serveRoom(t testing.TB, b *Bus, client *chat.Client) (stop func()) {
	return serve(t, b, client, longLease, room)
}

var ask = chat.Question{UserID: events.StringID("u1"), Text: "How many words are these?"}

func TestRemote_streamsAnswerThroughHolder(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	backend := newBackend(t, chattest.Echo(0))
	client := newHolder(t, backend.URL)
	serveRoom(t, newBus(t, server.URL, Config{}), client)
	remote := &Remote{Bus: newBus(t, server.URL, Config{}), ChatID: room}

	answer, err := remote.Ask(wiretest.Context(t), ask)
	require.NoError(t, err)
	var text string
	index := 0
	for token := range answer.Tokens() {
		require.Equal(t, index, token.Index)
		require.Equal(t, answer.RequestID(), token.RequestID)
		text += token.Token
		index++
	}
	final, err := answer.Wait()
	require.NoError(t, err)
	require.Equal(t, "You said: "+ask.Text, text)
	require.Equal(t, text, final.Text)
	require.EqualValues(t, 7, final.Usage.CompletionTokens)

	text = ""
	for piece, err := range answer.Text() { // again, from the start
		require.NoError(t, err)
		text += piece
	}
	require.Equal(t, final.Text, text)
}

func TestRemote_forwardsClientMethods(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	client := newHolder(t, newBackend(t, chattest.Echo(0)).URL)
	serveRoom(t, newBus(t, server.URL, Config{}), client)
	remote := &Remote{Bus: newBus(t, server.URL, Config{}), ChatID: room}
	ctx := wiretest.Context(t)
	said := client.ChatMessages.Chan(ctx)
	wrong := client.ServerErrors.Chan(ctx)
	user := events.StringID("u1")

	require.NoError(t, remote.SendMessage(ctx, events.UserMessage{MessageID: "m1", UserID: user, Text: "one"}))
	require.Equal(t, "one", wiretest.ReceiveFrom(t, said).Text)
	reply, err := remote.Deliver(ctx, events.UserMessage{MessageID: "m2", UserID: user, Text: "two"})
	require.NoError(t, err)
	require.JSONEq(t, `{"ok":true}`, string(reply))
	require.Equal(t, "two", wiretest.ReceiveFrom(t, said).Text)
	require.NoError(t, remote.TypingStart(ctx, user))
	require.NoError(t, remote.TypingStop(ctx, user))
	require.NoError(t, remote.MarkRead(ctx, events.Read{UserID: user, MessageIDs: []string{"m1"}, ReadAt: time.Now()}))
	require.NoError(t, remote.Abort(ctx, events.Abort{RequestID: "none"}))
	require.Empty(t, wrong, "the backend has found nothing wrong with them")
	require.NoError(t, remote.Emit(ctx, "user:typingStart", map[string]any{"userId": 1.5}))
	require.Contains(t, wiretest.ReceiveFrom(t, wrong).Error(), "userId", "and has looked")
}

func TestRemote_returnsBackendAndClientErrors(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	client := newHolder(t, newBackend(t, func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
		emit(events.AIToken{Token: "Well", Index: 0})
		emit(events.AIError{Code: "overloaded", Message: "later"})
	}).URL)
	serveRoom(t, newBus(t, server.URL, Config{}), client)
	remote := &Remote{Bus: newBus(t, server.URL, Config{}), ChatID: room}
	answer, err := remote.Ask(wiretest.Context(t), ask)
	require.NoError(t, err)
	_, err = answer.Wait()
	var ai *events.AIError
	require.ErrorAs(t, err, &ai)
	require.Equal(t, "overloaded", ai.Code)

	_, err = remote.Ask(wiretest.Context(t), chat.Question{Text: "Who am I?"})
	require.ErrorIs(t, err, chat.ErrNoUser)
	var failed *RemoteError
	require.ErrorAs(t, err, &failed)
	require.False(t, failed.MaybeSent)
}

func TestRemote_abortsQuestionWhenContextEnds(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	aborted := make(chan string, 1)
	client := newHolder(t, newBackend(t, func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
		emit(events.AIToken{Token: "Well", Index: 0})
		<-ctx.Done()
		aborted <- q.RequestID
	}).URL)
	serveRoom(t, newBus(t, server.URL, Config{}), client)
	remote := &Remote{Bus: newBus(t, server.URL, Config{}), ChatID: room}
	ctx, cancel := context.WithCancel(wiretest.Context(t))
	answer, err := remote.Ask(ctx, ask)
	require.NoError(t, err)
	wiretest.ReceiveFrom(t, answer.Tokens())
	cancel()
	_, err = answer.Wait()
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, answer.RequestID(), wiretest.ReceiveFrom(t, aborted))
}

func TestServe_abortsQuestionOfLostRemote(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	aborted := make(chan string, 1)
	client := newHolder(t, newBackend(t, func(ctx context.Context, q events.UserMessage, _ func(events.Event)) {
		<-ctx.Done()
		aborted <- q.RequestID
	}).URL)
	serveRoom(t, newBus(t, server.URL, Config{}), client)
	b := newBus(t, server.URL, Config{})
	answer, err := (&Remote{Bus: b, ChatID: room, Deadline: 5 * time.Second}).Ask(wiretest.Context(t), ask)
	require.NoError(t, err)
	b.conn.Close() // as a process that dies
	require.Equal(t, answer.RequestID(), wiretest.ReceiveFrom(t, aborted))
	_, err = answer.Wait()
	require.ErrorIs(t, err, ErrHolderLost)
}

func TestRemote_returnsErrNoHolder(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	remote := &Remote{Bus: b, ChatID: room, Deadline: 200 * time.Millisecond}
	_, err := remote.Ask(wiretest.Context(t), ask)
	require.ErrorIs(t, err, ErrNoHolder)
	err = remote.SendMessage(wiretest.Context(t), events.UserMessage{MessageID: "m", UserID: events.IntID(1)})
	require.ErrorIs(t, err, ErrNoHolder)
	var failed *RemoteError
	require.ErrorAs(t, err, &failed)
	require.False(t, failed.MaybeSent)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = remote.Ask(ctx, ask)
	require.ErrorIs(t, err, context.Canceled)
}

func TestRemote_returnsErrHolderLostDuringAnswer(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	client := newHolder(t, newBackend(t, func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
		emit(events.AIToken{Token: "Well", Index: 0})
		<-ctx.Done()
	}).URL)
	holder := newBus(t, server.URL, Config{})
	serveRoom(t, holder, client)
	remote := &Remote{Bus: newBus(t, server.URL, Config{}), ChatID: room, Deadline: 5 * time.Second}
	answer, err := remote.Ask(wiretest.Context(t), ask)
	require.NoError(t, err)
	wiretest.ReceiveFrom(t, answer.Tokens())
	holder.conn.Close() // as a process that dies
	_, err = answer.Wait()
	require.ErrorIs(t, err, ErrHolderLost)
	var failed *RemoteError
	require.ErrorAs(t, err, &failed)
	require.True(t, failed.MaybeSent)
}

func TestRemote_continuesAnswerAfterNATSRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, err := Embedded(dir)
	require.NoError(t, err)
	const tokens = 300
	release := make(chan int, tokens)
	client := newHolder(t, newBackend(t, func(_ context.Context, q events.UserMessage, emit func(events.Event)) {
		for i := range tokens {
			<-release
			emit(token("room", q.RequestID, i))
		}
		emit(message("room", q.RequestID))
	}).URL)
	serveRoom(t, newBus(t, server.URL, Config{}), client)
	remote := &Remote{Bus: newBus(t, server.URL, Config{}), ChatID: room}
	answer, err := remote.Ask(wiretest.Context(t), ask)
	require.NoError(t, err)
	for i := range 100 {
		release <- i
	}
	got := answer.Tokens()
	for i := range 50 {
		require.Equal(t, i, wiretest.ReceiveFrom(t, got).Index)
	}
	for i := range 100 { // sent while NATS is unreachable
		release <- i
	}
	server = restart(t, server, dir)
	t.Cleanup(server.Close)
	for i := range 100 {
		release <- i
	}
	for i := 50; i < tokens; i++ {
		require.Equal(t, i, wiretest.ReceiveFrom(t, got).Index)
	}
	_, err = answer.Wait()
	require.NoError(t, err)
}

func TestFailure_preservesErrorIdentity(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../errors.go")
	require.NoError(t, err)
	texts := regexp.MustCompile(`errors\.New\("(chat: .*)"\)`).FindAllSubmatch(source, -1)
	require.NotEmpty(t, texts)
	for _, text := range texts { // each error of package chat
		require.True(t, slices.ContainsFunc(known, func(err error) bool { return err.Error() == string(text[1]) }), "%s", text[1])
	}
	for _, is := range known {
		require.ErrorIs(t, failureOf(is, false).err(), is)
		require.ErrorIs(t, failureOf(fmt.Errorf("wrapped: %w", is), false).err(), is)
	}
	require.Equal(t, &chat.GapError{From: 1, To: 3}, failureOf(&chat.GapError{From: 1, To: 3}, false).err())
	require.EqualError(t, failureOf(&conn.SendError{Event: "e", Err: fmt.Errorf("odd")}, true).err(), (&conn.SendError{Event: "e", Err: fmt.Errorf("odd")}).Error())
}
