package contract

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/seed67206a74/parley/events"
)

// Descriptions in both documents.
const (
	aboutEnvelope = "Every payload may have these. requestId connects a question with all events that answer it."
	aboutJoin     = "chatId, and all members that the client is configured to add."
)

const about = `The events between a chat client and its backend over Socket.IO. The operations are those of the client. ` +
	`The name of a message is the default name of its event. Its payload is the event's first argument. ` +
	`Members that a schema does not name are allowed, and kept.`

// AsyncAPI returns the contract as an AsyncAPI 3 document, in JSON.
func (c *Contract) AsyncAPI() ([]byte, error) {
	var inChannel, messages, operations object
	for _, e := range c.events {
		id := e.id()
		inChannel = append(inChannel, entry{id, reference("messages", id)})
		message := object{
			{"name", e.name},
			{"contentType", "application/json"},
			{"payload", reference("schemas", e.payload)},
			{"examples", []object{{{"payload", e.example}}}},
		}
		if e.key != "" {
			message = append(message, entry{"x-key", e.key})
		}
		messages = append(messages, entry{id, message})
		action := "receive"
		if e.toServer {
			action = "send"
		}
		operations = append(operations, entry{action + "." + id, object{
			{"action", action},
			{"channel", object{{"$ref", "#/channels/chat"}}},
			{"messages", []object{{{"$ref", "#/channels/chat/messages/" + id}}}},
		}})
	}
	document := object{
		{"asyncapi", "3.0.0"},
		{"info", object{
			{"title", "AI chat over Socket.IO"},
			{"version", "1.0.0"},
			{"description", about},
			{"license", object{{"name", "MIT"}}},
		}},
		{"defaultContentType", "application/json"},
		{"servers", object{{"development", object{
			{"host", "localhost:4000"},
			{"protocol", "ws"},
			{"description", "Socket.IO 4 (protocol revision 5 over Engine.IO revision 4), by websocket or long-polling."},
		}}}},
		{"channels", object{{"chat", object{
			{"address", "/"},
			{"description", "The main namespace."},
			{"messages", inChannel},
		}}}},
		{"operations", operations},
		{"components", object{{"messages", messages}, {"schemas", c.schemas()}}},
	}
	text, err := json.Marshal(document, jsontext.WithIndent("  "), json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}

// id returns the event's name in the document: its key, or its event name with
// dots.
func (e event) id() string {
	if e.key != events.Key("") {
		return string(e.key)
	}
	return strings.ReplaceAll(e.name, ":", ".")
}
