package sioserver

import (
	"encoding/json"
	"fmt"

	"github.com/seed67206a74/parley/internal/socketio"
)

// An Event is an event that a client has sent.
type Event struct {
	Socket      *Socket
	Name        string
	Args        []json.RawMessage // attachments as placeholders
	Attachments [][]byte
	WantsAck    bool

	client *client
	id     int64
}

func newEvent(s *Socket, p socketio.Packet) (*Event, error) {
	name, err := socketio.EventName(p.Data)
	if err != nil {
		return nil, err
	}
	args, err := socketio.SplitArgs(p.Data, p.Binary)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Event{
		Socket:      s,
		Name:        string(name),
		Args:        args[1:],
		Attachments: p.Binary,
		WantsAck:    p.ID != socketio.NoID,
		client:      s.client,
		id:          p.ID,
	}, nil
}

// Decode decodes an argument by the rules of encoding/json. Bytes that were
// sent as an attachment are decoded into []byte and any. An argument that is
// missing is null.
func (e *Event) Decode(arg int, into any) error { return decodeArg(e.Args, e.Attachments, arg, into) }

// Ack sends the acknowledgement, if the client asks for one and is still
// connected. Each []byte in args becomes an attachment.
func (e *Event) Ack(args ...any) error {
	if !e.WantsAck {
		return nil
	}
	data, attachments, err := socketio.EncodeArgs(args...)
	if err != nil {
		return err
	}
	s := e.Socket
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil || s.client != e.client {
		return ErrGone
	}
	s.client.send(packetOf(socketio.Ack, socketio.BinaryAck, s.namespace.Name, e.id, data, attachments))
	return nil
}

// A Reply is the acknowledgement of an event by a client.
type Reply struct {
	Args        []json.RawMessage
	Attachments [][]byte
}

// Decode decodes an argument, as [Event.Decode] does.
func (r Reply) Decode(arg int, into any) error { return decodeArg(r.Args, r.Attachments, arg, into) }

func decodeArg(args []json.RawMessage, attachments [][]byte, arg int, into any) error {
	if arg >= len(args) {
		return socketio.DecodeArg([]byte("null"), nil, into)
	}
	return socketio.DecodeArg(args[arg], attachments, into)
}

// packetOf returns a packet of the text type, or of the binary type if it has
// attachments.
func packetOf(text, binary socketio.Type, namespace string, id int64, data []byte, attachments [][]byte) socketio.Packet {
	p := socketio.Packet{Type: text, Namespace: []byte(namespace), ID: id, Data: data}
	if len(attachments) > 0 {
		p.Type, p.Attachments, p.Binary = binary, len(attachments), attachments
	}
	return p
}

// An encodedEvent is an event to be sent.
type encodedEvent struct {
	data        []byte // a JSON array that begins with the name
	attachments [][]byte
}

func encodeEvent(name string, args []any) (encodedEvent, error) {
	if socketio.Reserved(name) {
		return encodedEvent{}, fmt.Errorf("sioserver: reserved event name %q", name)
	}
	data, attachments, err := socketio.EncodeArgs(append([]any{name}, args...)...)
	return encodedEvent{data, attachments}, err
}

// Values returns the arguments in a form that can be sent again: JSON
// unchanged, and decoded values for arguments with attachments.
func (e *Event) Values() []any {
	values := make([]any, len(e.Args))
	for i, arg := range e.Args {
		if len(e.Attachments) == 0 {
			values[i] = arg
			continue
		}
		_ = e.Decode(i, &values[i]) // it was checked when it was received
	}
	return values
}

// Bytes returns an argument that was sent as bytes. It returns false for any
// other.
func (e *Event) Bytes(arg int) ([]byte, bool) { return bytesOf(e.Args, e.Attachments, arg) }

// Bytes returns an argument that was sent as bytes. It returns false for any
// other.
func (r Reply) Bytes(arg int) ([]byte, bool) { return bytesOf(r.Args, r.Attachments, arg) }

func bytesOf(args []json.RawMessage, attachments [][]byte, arg int) ([]byte, bool) {
	if arg >= len(args) {
		return nil, false
	}
	return socketio.Attachment(args[arg], attachments)
}
