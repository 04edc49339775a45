package chathttp

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/seed67206a74/parley/events"
)

// OpenAI asks the question of a chat completion, and answers in the form of
// OpenAI's API, streaming or not.
//
//	mux.HandleFunc("POST /v1/chat/completions", server.OpenAI)
//
// The requests have no chat id. Config.Chat can choose a chat by the headers or
// the body; without it each question has a room of its own.
func (s *Server) OpenAI(w http.ResponseWriter, r *http.Request) {
	var request completionRequest
	s.answerQuestion(w, r, protocol{
		parse:       request.parse,
		contentType: "text/event-stream",
		encoder: func(out *frames, e *entry, cfg *Config) encoder {
			return &completionEncoder{out: out, cfg: cfg, request: request, id: "chatcmpl-" + e.requestID, created: e.began}
		},
		whole: func() bool { return !request.Stream },
	})
}

// completionRequest has the members of a request that have a meaning here.
type completionRequest struct {
	Model         string `json:"model"`
	Stream        bool   `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	Messages []json.RawMessage `json:"messages"`
}

func (c *completionRequest) parse(_ *http.Request, body []byte) (question, error) {
	if err := json.Unmarshal(body, c); err != nil {
		return question{}, err
	}
	return lastMessage(c.Messages)
}

// lastMessage returns the last message as the question. Its content is a text
// or a list of parts, as in OpenAI's protocol and AG-UI.
func lastMessage(messages []json.RawMessage) (q question, err error) {
	var message struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	}
	if len(messages) == 0 {
		return q, errNoQuestion
	}
	if err := json.Unmarshal(messages[len(messages)-1], &message); err != nil {
		return q, err
	}
	if message.Role != "user" {
		return q, errNoQuestion
	}
	if json.Unmarshal(message.Content, &q.text) == nil {
		return q, nil
	}
	var parts []struct {
		Type  string `json:"type"`
		Text  string `json:"text"`
		Image struct {
			URL string `json:"url"`
		} `json:"image_url"`
		File struct {
			Data string `json:"file_data"`
			Name string `json:"filename"`
		} `json:"file"`
		// AG-UI's binary content:
		MIMEType string `json:"mimeType"`
		Filename string `json:"filename"`
		URL      string `json:"url"`
		Data     string `json:"data"` // base64
	}
	if err := json.Unmarshal(message.Content, &parts); err != nil {
		return q, err
	}
	var texts []string
	for _, part := range parts {
		switch part.Type {
		case "text":
			texts = append(texts, part.Text)
		case "image_url":
			q.parts = append(q.parts, filePart("image/*", "", part.Image.URL))
		case "file":
			q.parts = append(q.parts, filePart("", part.File.Name, part.File.Data))
		case "binary":
			if part.URL == "" {
				part.URL = "data:" + part.MIMEType + ";base64," + part.Data
			}
			q.parts = append(q.parts, filePart(part.MIMEType, part.Filename, part.URL))
		}
	}
	q.text = strings.Join(texts, "")
	return q, nil
}

// completionEncoder writes the chunks of a chat completion. Tools that the
// backend runs are left out, because a client would run them.
type completionEncoder struct {
	out     *frames
	cfg     *Config
	request completionRequest
	id      string
	created time.Time
	text    textSum
}

func (c *completionEncoder) heartbeat() { c.out.comment() }

func (c *completionEncoder) begin() { c.delta(object{"role": "assistant", "content": ""}, nil) }

func (c *completionEncoder) event(event events.Event) {
	switch event := event.(type) {
	case events.AIToken:
		c.text.add(event.Token)
		c.delta(object{"content": event.Token}, nil)
	case events.AIMessage:
		if c.text.empty() && event.Text != "" {
			c.delta(object{"content": event.Text}, nil)
		}
		c.delta(object{}, "stop")
		if c.request.StreamOptions.IncludeUsage && event.Usage != nil {
			c.chunk(object{"choices": []any{}, "usage": usageOf(event.Usage)})
		}
	}
}

func (c *completionEncoder) delta(delta object, finish any) {
	c.chunk(object{"choices": []object{{"index": 0, "delta": delta, "finish_reason": finish}}})
}

func (c *completionEncoder) chunk(chunk object) {
	chunk["id"], chunk["object"] = c.id, "chat.completion.chunk"
	chunk["created"], chunk["model"] = c.created.Unix(), c.request.Model
	c.out.data(chunk)
}

func (c *completionEncoder) end(err error) {
	if err != nil {
		c.out.data(object{"error": c.cfg.problemOf(err).openAI()})
		return
	}
	c.out.done()
}

// whole returns the answer as one object.
func (c *completionEncoder) whole(m events.AIMessage) object {
	completion := object{
		"id": c.id, "object": "chat.completion", "created": c.created.Unix(), "model": c.request.Model,
		"choices": []object{{
			"index": 0, "finish_reason": "stop", "logprobs": nil,
			"message": object{"role": "assistant", "content": m.Text, "refusal": nil},
		}},
	}
	if m.Usage != nil {
		completion["usage"] = usageOf(m.Usage)
	}
	return completion
}

func usageOf(u *events.Usage) object {
	return object{
		"prompt_tokens": u.PromptTokens, "completion_tokens": u.CompletionTokens, "total_tokens": u.TotalTokens,
	}
}
