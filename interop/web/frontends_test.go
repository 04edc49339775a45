package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chathttp"
	"github.com/seed67206a74/parley/chat/chatnats"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// natsURL makes this test binary a front end; it is the URL of its NATS server.
const natsURL = "PARLEY_WEB_NATS"

// fleet is the lease of the socket that is in all chats.
var fleet = events.StringID("fleet")

// openBus connects to NATS.
func openBus(ctx context.Context, url string) (*chatnats.Bus, func(), error) {
	conn, err := nats.Connect(url, nats.MaxReconnects(-1))
	if err != nil {
		return nil, nil, err
	}
	b, err := chatnats.Open(ctx, conn, chatnats.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return b, conn.Close, nil
}

// serveFrontEnd is a front end. It prints its URL, and ends when its standard
// input is closed.
func serveFrontEnd(url string) error {
	b, done, err := openBus(context.Background(), url)
	if err != nil {
		return err
	}
	defer done()
	answers := &chatnats.Answers{Bus: b, Lease: func(events.ID) events.ID { return fleet }}
	web, err := chathttp.New(answers, chathttp.Config{
		Authorize: func(*http.Request) (chathttp.Visitor, error) {
			return chathttp.Visitor{UserID: events.StringID("ada"), MayUse: func(string) bool { return true }}, nil
		},
		OnLeave: chathttp.ContinueOnLeave, MaxStreamsPerVisitor: 1000,
	})
	if err != nil {
		return err
	}
	defer web.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/chat", web.AISDK)
	mux.HandleFunc("GET /api/chat/{id}/stream", web.ResumeAISDK)
	server := &http.Server{Handler: mux}
	defer server.Close()
	go server.Serve(listener) // ends with Close
	fmt.Printf("http://%s\n", listener.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// startFrontEnd starts a front end in a process of its own.
func startFrontEnd(t *testing.T, natsServer string) (url string, kill func()) {
	t.Helper()
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), natsURL+"="+natsServer)
	process.Stderr = os.Stderr
	alive, err := process.StdinPipe()
	require.NoError(t, err)
	out, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	kill = sync.OnceFunc(func() {
		_ = process.Process.Kill() // SIGKILL
		_ = process.Wait()
		_ = alive.Close()
	})
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line), kill
}

// holdChats holds the lease of all chats, with one socket, until the test ends.
func holdChats(t *testing.T, natsServer, backend string, chats []events.ID) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b, done, err := openBus(ctx, natsServer)
	require.NoError(t, err)
	ready, ended := make(chan struct{}), make(chan error, 1)
	hold := func(ctx context.Context) error {
		client, err := chat.New(backend, chat.Config{NoJoin: true})
		if err != nil {
			return err
		}
		defer client.Close()
		forwarding, err := chatnats.Forward(ctx, b, client.Events, chatnats.ForwardConfig{})
		if err != nil {
			return err
		}
		ran := make(chan error, 1)
		go func() { ran <- client.Run(ctx) }() // ends with ctx
		for _, id := range chats {
			if err := client.Join(ctx, id); err != nil {
				return err
			}
		}
		close(ready)
		err = chatnats.Serve(ctx, b, client, chats...)
		<-ran
		_ = forwarding.Wait()
		return err
	}
	go func() { // ends with cancel
		cfg := chatnats.LeaseConfig{TTL: time.Minute} // a busy machine renews it in time
		ended <- chatnats.RunWithLease(ctx, b, fleet, cfg, hold)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		done()
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		require.NoError(t, err)
	}
}

func TestFrontEnd_isKilledAndAnswersContinueAtAnother(t *testing.T) {
	node := need(t)
	n := 50
	server, err := chatnats.Embedded(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(server.Close)
	resumed := make(chan struct{}) // the answers may end
	paced := func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
		pace := time.NewTicker(50 * time.Millisecond)
		defer pace.Stop()
		var said strings.Builder
		for i, rest := 0, 20; rest > 0; i++ {
			token := strconv.Itoa(i) + " "
			said.WriteString(token)
			emit(events.AIToken{Token: token, Index: i})
			select {
			case <-pace.C:
			case <-ctx.Done():
				return
			}
			select {
			case <-resumed:
				rest--
			default:
			}
		}
		emit(events.AIMessage{MessageID: "m1", Role: "assistant", Text: said.String()})
	}
	backend := chattest.NewServer(chattest.Config{Answer: paced})
	t.Cleanup(backend.Close)
	var chats []events.ID
	for i := range n {
		chats = append(chats, events.StringID("chat-"+strconv.Itoa(i)))
	}
	holdChats(t, server.URL, backend.URL, chats)
	first, kill := startFrontEnd(t, server.URL)
	second, _ := startFrontEnd(t, server.URL)

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	args, err := json.Marshal(map[string]any{"urls": []string{first, second}, "chats": n})
	require.NoError(t, err)
	page := exec.CommandContext(ctx, node, "--no-warnings", "frontends.mjs", string(args))
	page.Stderr = os.Stderr
	out, err := page.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, page.Start())
	lines := bufio.NewReader(out)
	expect := func(want string) {
		t.Helper()
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, want, strings.TrimSpace(line))
	}
	expect(`"middle"`)
	kill()
	expect(`"resumed"`)
	close(resumed)
	var result struct {
		Broken   []string
		Outcomes []struct {
			outcome
			Messages, Before int
		}
	}
	require.NoError(t, json.NewDecoder(lines).Decode(&result))
	require.NoError(t, page.Wait())

	require.Len(t, result.Outcomes, n)
	for i, o := range result.Outcomes {
		assert.Equal(t, "error", result.Broken[i], "a lost connection is an error")
		assert.Equal(t, "ready", o.Status, o.Error)
		tokens := strings.Fields(o.Text)
		for i, token := range tokens {
			require.Equal(t, strconv.Itoa(i), token, "each token once, in order")
		}
		assert.Greater(t, len(tokens), o.Before+20, "tokens arrived before, during and after the outage")
		var message struct{ Metadata struct{ Text *string } }
		require.NoError(t, json.Unmarshal(o.Message, &message))
		assert.Nil(t, message.Metadata.Text, "the tokens are the whole text of the final message")
		assert.Equal(t, 2, o.Messages)
	}
	assert.Len(t, backend.Received("user:message"), n, "each question was asked once")
	assert.Empty(t, backend.Received("ai:abort"))
}
