package chathttp

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

// aiSDKEncoder writes chunks that the AI SDK 5, 6 and 7 understand.
type aiSDKEncoder struct {
	out       *frames
	cfg       *Config
	requestID string
	text      textSum
	open      bool // a run of text is open
	runs      int  // runs of text
	tools     toolNames
}

func (a *aiSDKEncoder) heartbeat() { a.out.comment() }

func (a *aiSDKEncoder) begin() {
	a.out.data(object{"type": "start", "messageId": a.requestID, "messageMetadata": object{"requestId": a.requestID}})
	a.out.data(object{"type": "start-step"})
}

func (a *aiSDKEncoder) event(event events.Event) {
	switch event := event.(type) {
	case events.AIProcessing:
		a.out.data(object{"type": "data-status", "transient": true, "data": statusOf(event)})
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
		chunk := object{"toolCallId": event.CallID, "dynamic": true, "providerExecuted": true}
		if text, failed := toolFailure(event.Result); failed {
			chunk["type"], chunk["errorText"] = "tool-output-error", text
		} else {
			chunk["type"], chunk["output"] = "tool-output-available", event.Result
		}
		a.out.data(chunk)
	case events.AIMessage:
		a.final(event)
	}
}

// delta writes a piece of text.
func (a *aiSDKEncoder) delta(text string) {
	if !a.open {
		a.open = true
		a.runs++
		a.out.data(object{"type": "text-start", "id": strconv.Itoa(a.runs)})
	}
	if a.out.take() { // without reflection, because most chunks are of this type
		b := append(a.out.buf, `data: {"type":"text-delta","id":"`...)
		b = append(strconv.AppendInt(b, int64(a.runs), 10), `","delta":`...)
		a.out.buf = append(appendString(b, text), "}\n\n"...)
	}
}

func (a *aiSDKEncoder) closeText() {
	if a.open {
		a.open = false
		a.out.data(object{"type": "text-end", "id": strconv.Itoa(a.runs)})
	}
}

func (a *aiSDKEncoder) toolCall(id, name string, args json.RawMessage) {
	a.tools.add(id, name)
	a.out.data(object{
		"type": "tool-input-available", "toolCallId": id, "toolName": name, "input": argsOf(args),
		// Without it the page would run the tool itself.
		"providerExecuted": true, "dynamic": true,
	})
}

func (a *aiSDKEncoder) final(m events.AIMessage) {
	if a.text.empty() && m.Text != "" {
		a.text.add(m.Text)
		a.delta(m.Text)
	}
	a.closeText()
	if len(m.Options) > 0 {
		a.out.data(object{"type": "data-options", "id": "options", "data": m.Options})
	}
	a.out.data(object{"type": "finish-step"})
	metadata := messageOf(m)
	if a.text.differs(m.Text) {
		metadata["text"] = m.Text // no chunk can replace the text
	}
	a.out.data(object{"type": "finish", "finishReason": "stop", "messageMetadata": metadata})
}

func (a *aiSDKEncoder) end(err error) {
	switch {
	case err == nil:
	case errors.Is(err, chat.ErrAborted):
		a.closeText()
		a.out.data(object{"type": "abort"})
		// The client ignores abort alone.
		a.out.data(object{"type": "finish", "finishReason": "other"})
	default:
		a.closeText()
		p := a.cfg.problemOf(err)
		a.out.data(object{"type": "data-error", "transient": true, "data": p})
		a.out.data(object{"type": "error", "errorText": p.Message})
		return
	}
	a.out.done()
}

// statusOf returns the fields of a status.
func statusOf(e events.AIProcessing) object {
	status := object{"status": string(e.Status)}
	if e.EtaMs != 0 {
		status["etaMs"] = e.EtaMs
	}
	if e.Reason != "" {
		status["reason"] = e.Reason
	}
	return status
}

// messageOf returns the fields of the final message besides its text.
func messageOf(m events.AIMessage) object {
	fields := object{"messageId": m.MessageID}
	if !m.CreatedAt.IsZero() {
		fields["createdAt"] = m.CreatedAt.Format(time.RFC3339Nano)
	}
	if m.Usage != nil {
		fields["usage"] = m.Usage
	}
	return fields
}

// argsOf returns the arguments of a tool call; missing ones are no arguments.
func argsOf(args json.RawMessage) json.RawMessage {
	if len(args) == 0 {
		return json.RawMessage("{}")
	}
	return args
}
