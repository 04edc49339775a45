package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// converse runs the chat on the screen until the user leaves, ctx ends or the
// connection ends permanently.
func converse(ctx context.Context, in io.Reader, out io.Writer, client *chat.Client, o options) error {
	ctx, cancel := context.WithCancel(ctx)
	m := newModel(ctx, client, o)
	_, err := tea.NewProgram(m, tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler()).Run()
	cancel()       // ends the answer in progress and every command that waits on a channel
	client.Close() // returns after Run
	return errors.Join(err, m.failure)
}

// A model is the lower part of the screen: the answer in progress, the status
// and the input. Finished messages are printed above it and belong to the
// history of the terminal.
//
// Commands read the client's channels. Each waits for one value and ends with
// ctx.
type model struct {
	ctx    context.Context
	client *chat.Client
	chat   string
	user   events.ID

	events       <-chan events.Event
	serverErrors <-chan chat.ServerError
	states       <-chan conn.State

	input         input
	painter       painter
	light         bool // the background of the terminal
	width, height int
	state         conn.State
	online        int
	answer        *answer         // nil when none is in progress
	own           map[string]bool // ids of this user's messages and requests
	failure       error           // the error that ended the connection
	left          bool
}

// An answer is the state of a question in progress.
type answer struct {
	abort   context.CancelFunc
	aborted bool
	stream  *chat.Stream // nil until the question is sent
	tokens  <-chan events.AIToken
}

// The messages to Update, besides keys and sizes.
type (
	eventReceived       struct{ event events.Event }
	serverErrorReceived struct{ err chat.ServerError }
	stateChanged        struct{ state conn.State }
	asked               struct{ stream *chat.Stream }
	tokenReceived       struct{}
	answerEnded         struct{ err error }
	runEnded            struct{ err error }
	channelClosed       struct{}
)

func newModel(ctx context.Context, client *chat.Client, o options) *model {
	return &model{
		ctx: ctx, client: client, chat: o.chat, user: events.StringID(o.user),
		events: client.Events.Chan(ctx), serverErrors: client.ServerErrors.Chan(ctx), states: client.States.Chan(ctx),
		input: newInput(), own: map[string]bool{},
	}
}

// Init starts the client and the commands that read its channels.
func (m *model) Init() tea.Cmd {
	return tea.Batch(
		func() tea.Msg { return runEnded{m.client.Run(m.ctx)} },
		m.nextEvent(), m.nextServerError(), m.nextState(), tea.RequestBackgroundColor,
	)
}

// next returns a command that waits for a value and turns it into a message.
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
	return next(m.events, func(e events.Event) tea.Msg { return eventReceived{e} })
}

func (m *model) nextServerError() tea.Cmd {
	return next(m.serverErrors, func(e chat.ServerError) tea.Msg { return serverErrorReceived{e} })
}

func (m *model) nextState() tea.Cmd {
	return next(m.states, func(s conn.State) tea.Msg { return stateChanged{s} })
}

// nextToken waits for a token or, after the last one, for the end of the
// answer.
func (a *answer) nextToken() tea.Msg {
	if _, open := <-a.tokens; open {
		return tokenReceived{}
	}
	_, err := a.stream.Wait()
	return answerEnded{err}
}

// Update handles a message. It prints a value before it reads the next one of
// the same channel, so the screen shows them in the order of the channel.
func (m *model) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch message := message.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = message.Width, message.Height
		m.input.SetWidth(max(4, m.width-1))
	case tea.BackgroundColorMsg:
		m.light = !message.IsDark()
	case tea.KeyPressMsg:
		return m, m.key(message)
	case tea.PasteMsg:
		return m, m.input.edit(message)
	case stateChanged:
		m.state = message.state
		return m, m.nextState()
	case eventReceived:
		return m, tea.Sequence(m.printEvent(message.event), m.nextEvent())
	case serverErrorReceived:
		return m, tea.Sequence(m.print(failed, "server error", message.err.Error()), m.nextServerError())
	case asked:
		m.answer.stream, m.answer.tokens = message.stream, message.stream.Tokens()
		return m, m.answer.nextToken
	case tokenReceived:
		return m, m.answer.nextToken // the view reads the text from the stream's Progress
	case answerEnded:
		return m, m.end(message.err)
	case runEnded:
		m.failure = message.err
		return m, m.leave()
	}
	return m, nil
}

// key handles a key.
func (m *model) key(key tea.KeyPressMsg) tea.Cmd {
	switch key.String() {
	case "ctrl+c":
		if m.answer == nil || m.answer.aborted {
			return m.leave()
		}
		m.answer.aborted = true
		m.answer.abort() // ends the ctx of Ask, which sends ai:abort
		return nil
	case "enter":
		text := strings.TrimSpace(m.input.Value())
		switch {
		case text == "/help":
			m.input.take()
			return m.print(status, help, "")
		case text == "" || m.answer != nil:
			return nil // one question at a time; the text stays in the input
		}
		m.input.take()
		return m.ask(text)
	}
	return m.input.edit(key)
}

// leave ends the program and clears the model. The printed messages stay on the
// screen.
func (m *model) leave() tea.Cmd {
	m.left = true
	return tea.Quit
}

// ask sends a question. It waits for the connection if necessary.
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

// end prints the answer, or the received part of it, and the error.
func (m *model) end(err error) tea.Cmd {
	ended := m.answer
	m.answer = nil
	ended.abort() // releases its context
	var lines []tea.Cmd
	if ended.stream != nil {
		if text := ended.stream.Progress().Text; text != "" {
			lines = append(lines, m.printMarkdown("ai", text))
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

// printEvent prints the messages of other users, the answers to them, and the
// names of the tools that the AI calls.
func (m *model) printEvent(event events.Event) tea.Cmd {
	switch event := event.(type) {
	case events.Presence:
		m.online = len(event.OnlineUserIDs)
	case events.ChatMessage:
		if !m.own[event.MessageID] {
			return m.print(person, event.UserID.String(), event.Text)
		}
	case events.AIMessage:
		if event.RequestID != "" && !m.own[event.RequestID] {
			return m.printMarkdown("ai, to another user", event.Text)
		}
	case events.AIToolCall:
		return m.print(machine, "ai", fmt.Sprintf("calls the tool %s", event.ToolName))
	}
	return nil
}
