package chathttp

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/seed67206a74/parley/events"
)

// aiSDK is the UI message stream of the AI SDK.
var aiSDK = protocol{
	parse:       parseAISDK,
	contentType: "text/event-stream",
	headers: func(h http.Header, e *entry) {
		h.Set("X-Vercel-Ai-Ui-Message-Stream", "v1")
		h.Set("X-Workflow-Run-Id", e.requestID)
	},
	encoder: func(out *frames, e *entry, cfg *Config) encoder {
		return &aiSDKEncoder{out: out, cfg: cfg, requestID: e.requestID}
	},
}

// AISDK asks the question of useChat and streams its answer, for the AI SDK 5
// to 7. It serves submitted, edited and regenerated messages.
//
//	mux.HandleFunc("POST /api/chat", server.AISDK)
//	mux.HandleFunc("GET /api/chat/{id}/stream", server.ResumeAISDK)
//	mux.HandleFunc("POST /api/chat/{id}/stop", server.Stop)
//
// The chat is the member id of the body, which WorkflowChatTransport does not
// send.
func (s *Server) AISDK(w http.ResponseWriter, r *http.Request) { s.answerQuestion(w, r, aiSDK) }

// ResumeAISDK streams the last answer of a chat from its start, for
// useChat({resume: true}) and for further tabs. The id of its route may also be
// that of a request. The query startIndex is a number of chunks to leave out,
// as WorkflowChatTransport sends it. If there is no answer, the status is 204.
func (s *Server) ResumeAISDK(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	s.resume(w, r, aiSDK, id, id, true, position(r.FormValue("startIndex")))
}

// uiMessage is a message of the AI SDK.
type uiMessage struct {
	Role  string `json:"role"`
	Parts []struct {
		Type      string `json:"type"`
		Text      string `json:"text"`
		MediaType string `json:"mediaType"`
		Filename  string `json:"filename"`
		URL       string `json:"url"`
	} `json:"parts"`
}

// parseAISDK returns the last message as the question. The messages before it
// are not read.
func parseAISDK(_ *http.Request, body []byte) (q question, err error) {
	var request struct {
		ID       string            `json:"id"`
		Messages []json.RawMessage `json:"messages"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return q, err
	}
	if len(request.Messages) == 0 {
		return q, errNoQuestion
	}
	var message uiMessage
	if err := json.Unmarshal(request.Messages[len(request.Messages)-1], &message); err != nil {
		return q, err
	}
	if message.Role != "user" {
		return q, errNoQuestion
	}
	var texts []string
	for _, part := range message.Parts {
		switch part.Type {
		case "text":
			texts = append(texts, part.Text)
		case "file":
			q.parts = append(q.parts, filePart(part.MediaType, part.Filename, part.URL))
		}
	}
	q.chatID, q.text = request.ID, strings.Join(texts, "")
	return q, nil
}

// filePart returns an attachment. Members that are empty are left out.
func filePart(mediaType, name, url string) events.Part {
	value := map[string]string{"mediaType": mediaType, "filename": name, "url": url}
	for key, text := range value {
		if text == "" {
			delete(value, key)
		}
	}
	if strings.HasPrefix(mediaType, "image/") {
		return events.Part{Type: "image", Value: value}
	}
	return events.Part{Type: "file", Value: value}
}

// toolFailure returns the text of a tool result of the form {"error": …}.
func toolFailure(result json.RawMessage) (text string, failed bool) {
	var failure struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(result, &failure) != nil || slices.Contains([]string{"", "null", "false", `""`}, string(failure.Error)) {
		return "", false
	}
	if json.Unmarshal(failure.Error, &text) != nil {
		text = string(failure.Error)
	}
	return text, true
}
