package chathttp

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

// AGUI asks the question of an AG-UI run and streams its events, for the
// HttpAgent of AG-UI 1.0. The chat is the thread.
//
//	mux.HandleFunc("POST /api/agui", server.AGUI)
//	mux.HandleFunc("POST /api/agui/{id}/stop", server.Stop)
func (s *Server) AGUI(w http.ResponseWriter, r *http.Request) {
	var run aguiRun
	s.answerQuestion(w, r, protocol{
		parse:       run.parse,
		contentType: "text/event-stream",
		encoder: func(out *frames, e *entry, cfg *Config) encoder {
			return &aguiEncoder{out: out, cfg: cfg, run: run, requestID: e.requestID}
		},
	})
}

// aguiRun has the members of a request that have a meaning here.
type aguiRun struct {
	ThreadID string            `json:"threadId"`
	RunID    string            `json:"runId"`
	Messages []json.RawMessage `json:"messages"`
}

func (a *aguiRun) parse(_ *http.Request, body []byte) (question, error) {
	if err := json.Unmarshal(body, a); err != nil {
		return question{}, err
	}
	q, err := lastMessage(a.Messages)
	q.chatID, a.Messages = a.ThreadID, nil
	return q, err
}

// aguiEncoder writes the events of a run.
type aguiEncoder struct {
	out       *frames
	cfg       *Config
	run       aguiRun
	requestID string
	text      textSum
	open      bool // a message is open
	messages  int
	tools     toolNames
}

func (a *aguiEncoder) heartbeat() { a.out.comment() }

func (a *aguiEncoder) begin() { a.sendRun("RUN_STARTED", object{}) }

func (a *aguiEncoder) event(event events.Event) {
	switch event := event.(type) {
	case events.AIProcessing:
		a.send("CUSTOM", object{"name": "processing", "value": statusOf(event)})
	case events.AIToken:
		a.text.add(event.Token)
		a.delta(event.Token)
	case events.AIToolCall:
		a.closeText()
		a.toolCall(event.CallID, event.ToolName, event.Args)
	case events.AIToolResult:
		a.closeText()
		if !a.tools.has(event.CallID) {
			a.toolCall(event.CallID, event.ToolName, nil)
		}
		content := string(event.Result)
		_ = json.Unmarshal(event.Result, &content) // if it is a string; else its JSON
		a.send("TOOL_CALL_RESULT", object{
			"messageId": a.nextMessage(), "toolCallId": event.CallID, "content": content, "role": "tool",
		})
	case events.AIMessage:
		a.final(event)
	}
}

// nextMessage returns a new message id.
func (a *aguiEncoder) nextMessage() string {
	a.messages++
	return a.message()
}

// message returns the id of the last message.
func (a *aguiEncoder) message() string { return a.requestID + "-" + strconv.Itoa(a.messages) }

func (a *aguiEncoder) delta(text string) {
	if text == "" {
		return // the protocol has no empty deltas
	}
	if !a.open {
		a.open = true
		a.send("TEXT_MESSAGE_START", object{"messageId": a.nextMessage(), "role": "assistant"})
	}
	a.send("TEXT_MESSAGE_CONTENT", object{"messageId": a.message(), "delta": text})
}

func (a *aguiEncoder) closeText() {
	if a.open {
		a.open = false
		a.send("TEXT_MESSAGE_END", object{"messageId": a.message()})
	}
}

func (a *aguiEncoder) toolCall(id, name string, args json.RawMessage) {
	if a.tools.has(id) {
		return // a second start of a call would end the run in an error
	}
	a.tools.add(id, name)
	compact, err := marshal(argsOf(args))
	if err != nil {
		a.out.err = err
		return
	}
	a.send("TOOL_CALL_START", object{"toolCallId": id, "toolCallName": name})
	a.send("TOOL_CALL_ARGS", object{"toolCallId": id, "delta": string(compact)})
	a.send("TOOL_CALL_END", object{"toolCallId": id})
}

func (a *aguiEncoder) final(m events.AIMessage) {
	if a.text.empty() {
		a.text.add(m.Text)
		a.delta(m.Text)
	}
	a.closeText()
	if len(m.Options) > 0 {
		a.send("CUSTOM", object{"name": "options", "value": m.Options})
	}
	result := messageOf(m)
	delete(result, "usage")
	if a.text.differs(m.Text) {
		result["text"] = m.Text
	}
	finished := object{"outcome": object{"type": "success"}, "result": result}
	if u := m.Usage; u != nil {
		finished["usage"] = []object{{
			"inputTokens": u.PromptTokens, "outputTokens": u.CompletionTokens, "totalTokens": u.TotalTokens,
		}}
	}
	a.sendRun("RUN_FINISHED", finished)
}

func (a *aguiEncoder) end(err error) {
	switch {
	case err == nil:
	case errors.Is(err, chat.ErrAborted):
		a.closeText()
		a.sendRun("RUN_FINISHED", object{"outcome": object{"type": "cancelled"}})
	default:
		p := a.cfg.problemOf(err)
		failed := object{"message": p.Message, "code": p.Code}
		if p.Details != nil {
			failed["metadata"] = object{"details": p.Details}
		}
		a.send("RUN_ERROR", failed)
	}
}

// sendRun sends an event with the ids of the run.
func (a *aguiEncoder) sendRun(kind string, fields object) {
	fields["threadId"], fields["runId"] = a.run.ThreadID, a.run.RunID
	a.send(kind, fields)
}

func (a *aguiEncoder) send(kind string, fields object) {
	fields["type"] = kind
	a.out.data(fields)
}
