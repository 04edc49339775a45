package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// converse is the chat with a person, until the person leaves, ctx ends or the connection has ended for good. In all three
// cases it is client.Run that ends, or is ended.
func converse(ctx context.Context, in io.Reader, out io.Writer, client *chat.Client, o options) error {
	ctx, cancel := context.WithCancel(ctx)
	m := newModel(ctx, client, o)
	_, err := tea.NewProgram(m, tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler()).Run()
	cancel()       // ends the answer under way, and every command that waits on a channel
	client.Close() // returns when Run has
	return errors.Join(err, m.failure)
}

// A model is what the person sees. What is finished is printed above it and belongs to the terminal's own history; the
// model has the answer that is being written, the status and the input.
//
// It reads the client's channels by commands that wait for one value each. All end with ctx.
type model struct {
	ctx    context.Context
	client *chat.Client
	chat   string
	user   events.ID

	events       <-chan events.Event
	serverErrors <-chan chat.ServerError
	states       <-chan conn.State

	input         textinput.Model
	width, height int
	state         conn.State
	online        int
	answer        *answer         // nil when none is under way
	own           map[string]bool // ids of what this person has said and asked
	failure       error           // why the connection has ended for good
	left          bool
}

// An answer is what a person waits for.
type answer struct {
	abort   context.CancelFunc
	aborted bool
	stream  *chat.Stream // nil until the question is out
	tokens  <-chan events.AIToken
}

// What Update hears, besides keys and sizes.
type (
	said          struct{ event events.Event }
	complained    struct{ err chat.ServerError }
	stateChanged  struct{ state conn.State }
	asked         struct{ stream *chat.Stream }
	tokenCame     struct{}
	answerEnded   struct{ err error }
	runHasEnded   struct{ err error }
	channelClosed struct{}
)

func newModel(ctx context.Context, client *chat.Client, o options) *model {
	m := &model{
		ctx: ctx, client: client, chat: o.chat, user: events.StringID(o.user),
		events: client.Events.Chan(ctx), serverErrors: client.ServerErrors.Chan(ctx), states: client.States.Chan(ctx),
		input: textinput.New(), own: map[string]bool{},
	}
	m.input.Prompt = "> "
	m.input.Placeholder = "Say something"
	m.input.Focus()
	return m
}

// Init starts the client, and begins to listen to it.
func (m *model) Init() tea.Cmd {
	return tea.Batch(
		func() tea.Msg { return runHasEnded{m.client.Run(m.ctx)} },
		m.nextEvent(), m.nextComplaint(), m.nextState(),
	)
}

// next waits for a value, and makes a message of it.
func next[T any](c <-chan T, message func(T) tea.Msg) tea.Cmd {
	return func() tea.Msg {
		value, open := <-c
		if !open {
			return channelClosed{}
		}
		return message(value)
	}
}

func (m *model) nextEvent() tea.Cmd {
	return next(m.events, func(e events.Event) tea.Msg { return said{e} })
}

func (m *model) nextComplaint() tea.Cmd {
	return next(m.serverErrors, func(e chat.ServerError) tea.Msg { return complained{e} })
}

func (m *model) nextState() tea.Cmd {
	return next(m.states, func(s conn.State) tea.Msg { return stateChanged{s} })
}

// nextToken waits for a token and, after the last one, for how the answer has ended.
func (a *answer) nextToken() tea.Msg {
	if _, open := <-a.tokens; open {
		return tokenCame{}
	}
	_, err := a.stream.Wait()
	return answerEnded{err}
}

// Update takes a message. What a command prints comes before the next value of its channel is waited for: so the order
// of a channel is that of the screen.
func (m *model) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch message := message.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = message.Width, message.Height
		m.input.SetWidth(max(1, m.width-4))
	case tea.KeyPressMsg:
		return m, m.key(message)
	case tea.PasteMsg:
		return m, m.edit(message)
	case stateChanged:
		m.state = message.state
		return m, m.nextState()
	case said:
		return m, tea.Sequence(m.hear(message.event), m.nextEvent())
	case complained:
		return m, tea.Sequence(m.print(failed, "the server says", message.err.Error()), m.nextComplaint())
	case asked:
		m.answer.stream, m.answer.tokens = message.stream, message.stream.Tokens()
		return m, m.answer.nextToken
	case tokenCame:
		return m, m.answer.nextToken // what has come is in the stream's Progress
	case answerEnded:
		return m, m.end(message.err)
	case runHasEnded:
		m.failure = message.err
		return m, m.leave()
	}
	return m, nil
}

// key is what a key does.
func (m *model) key(key tea.KeyPressMsg) tea.Cmd {
	switch key.String() {
	case "ctrl+c":
		if m.answer == nil || m.answer.aborted {
			return m.leave()
		}
		m.answer.aborted = true
		m.answer.abort() // the ctx of Ask: the backend is told
		return nil
	case "enter":
		text := strings.TrimSpace(m.input.Value())
		if text == "" || m.answer != nil {
			return nil // one at a time: what is typed stays
		}
		m.input.Reset()
		return m.ask(text)
	}
	return m.edit(key)
}

// leave ends the program, and leaves what was said on the screen and nothing else.
func (m *model) leave() tea.Cmd {
	m.left = true
	return tea.Quit
}

// edit leaves a message to the input.
func (m *model) edit(message tea.Msg) tea.Cmd {
	var cmd tea.Cmd
	m.input, cmd = m.input.Update(message)
	return cmd
}

// ask asks, which waits for the connection if need be.
func (m *model) ask(text string) tea.Cmd {
	ctx, cancel := context.WithCancel(m.ctx)
	m.answer = &answer{abort: cancel}
	question := chat.Question{UserID: m.user, Text: text, MessageID: rand.Text(), RequestID: rand.Text()}
	m.own[question.MessageID], m.own[question.RequestID] = true, true
	return tea.Sequence(m.print(person, m.user.String(), text), func() tea.Msg {
		stream, err := m.client.Ask(ctx, question)
		if err != nil {
			return answerEnded{err}
		}
		return asked{stream}
	})
}

// end prints the answer, or what there is of it, and why there is no more.
func (m *model) end(err error) tea.Cmd {
	ended := m.answer
	m.answer = nil
	ended.abort() // releases its context
	var lines []tea.Cmd
	if ended.stream != nil {
		if text := ended.stream.Progress().Text; text != "" {
			lines = append(lines, m.print(machine, "ai", text))
		}
	}
	switch {
	case ended.aborted:
		lines = append(lines, m.print(failed, "aborted", ""))
	case err != nil:
		lines = append(lines, m.print(failed, "no answer", err.Error()))
	}
	return tea.Sequence(lines...)
}

// hear prints what others say, and what the AI answers to them.
func (m *model) hear(event events.Event) tea.Cmd {
	switch event := event.(type) {
	case events.Presence:
		m.online = len(event.OnlineUserIDs)
	case events.ChatMessage:
		if !m.own[event.MessageID] {
			return m.print(person, event.UserID.String(), event.Text)
		}
	case events.AIMessage:
		if event.RequestID != "" && !m.own[event.RequestID] {
			return m.print(machine, "ai, to somebody else", event.Text)
		}
	case events.AIToolCall:
		return m.print(machine, "ai", fmt.Sprintf("calls the tool %s", event.ToolName))
	}
	return nil
}
