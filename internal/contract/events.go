package contract

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

// A Contract is the content of the documents.
type Contract struct {
	events   []event
	payloads []reflect.Type    // of the events, in their order, each once
	records  []reflect.Type    // the structs inside the payloads
	comments map[string]string // the first sentence of each type's comment
}

// An event is an event in either direction.
type event struct {
	key      events.Key // "" if it has none
	name     string     // the default
	payload  string     // the name of its type
	toServer bool
	example  any
}

// Read reads package events, whose sources are in dir.
func Read(dir string) (*Contract, error) {
	c := &Contract{}
	if err := c.readComments(dir); err != nil {
		return nil, err
	}
	for key := range events.Keys() {
		example, ok := examples[key]
		if !ok {
			return nil, fmt.Errorf("contract: %s has no example", key)
		}
		received, fromServer := example.(events.Event)
		if fromServer && received.Key() != key {
			return nil, fmt.Errorf("contract: the example of %s has the key %s", key, received.Key())
		}
		payload := joinType
		if key != events.KeyJoin {
			payload = reflect.TypeOf(example).Name()
			c.add(reflect.TypeOf(example))
		}
		c.events = append(c.events, event{key, key.DefaultName(), payload, !fromServer, example})
	}
	c.events = append(c.events, others...)
	return c, nil
}

// add adds a payload and the structs inside it.
func (c *Contract) add(t reflect.Type) {
	if slices.Contains(c.payloads, t) {
		return
	}
	c.payloads = append(c.payloads, t)
	for _, m := range members(t) {
		part := m.typ
		for part.Kind() == reflect.Pointer || part.Kind() == reflect.Slice {
			part = part.Elem()
		}
		if part.Kind() == reflect.Struct && part != idType && part != timeType && !slices.Contains(c.records, part) {
			c.records = append(c.records, part)
		}
	}
}

func (c *Contract) readComments(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	files := token.NewFileSet()
	var sources []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		source, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		sources = append(sources, source)
	}
	described, err := doc.NewFromFiles(files, sources, "events")
	if err != nil {
		return err
	}
	c.comments = map[string]string{}
	for _, t := range described.Types {
		c.comments[t.Name] = described.Synopsis(t.Doc)
	}
	return nil
}

var (
	idType       = reflect.TypeFor[events.ID]()
	timeType     = reflect.TypeFor[time.Time]()
	rawType      = reflect.TypeFor[json.RawMessage]()
	envelopeType = reflect.TypeFor[events.Envelope]()
)

// A member is a member of a JSON object, as the codec of package events encodes
// it.
type member struct {
	name     string
	required bool
	allowed  []string // the values that the contract allows; nil for all
	typ      reflect.Type
}

// members returns the members of a payload, without those of its envelope.
func members(t reflect.Type) []member {
	var own []member
	for _, f := range reflect.VisibleFields(t) {
		if _, shared := envelopeType.FieldByName(f.Name); !shared && f.Name != "Extra" {
			own = append(own, asMember(f))
		}
	}
	return own
}

// envelope returns the members that all payloads share.
func envelope() []member {
	var shared []member
	for _, f := range reflect.VisibleFields(envelopeType) {
		tagged, _ := reflect.TypeFor[events.UserMessage]().FieldByName(f.Name)
		shared = append(shared, asMember(tagged))
	}
	return shared
}

func asMember(f reflect.StructField) member {
	name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
	m := member{name: name, required: option != "omitzero", typ: f.Type}
	if allowed := f.Tag.Get("enum"); allowed != "" {
		m.allowed = strings.Split(allowed, "|")
	}
	return m
}

// hasEnvelope reports whether a type has the members that all payloads share. A
// struct inside a payload has none.
func hasEnvelope(t reflect.Type) bool {
	_, ok := t.FieldByName("RequestID")
	return ok
}

// joinType and namesType are payloads that package events has no struct for.
const (
	joinType  = "Join"
	namesType = "EventNames"
	anyType   = "Anything"
)

// others are the events that have no key.
var others = []event{
	{name: chat.DefaultLeaveEvent, payload: joinType, toServer: true, example: join},
	{name: chat.DefaultDiscoveryRequest, payload: joinType, toServer: true, example: join},
	{name: chat.DefaultDiscoveryResponse, payload: namesType, example: map[events.Key]string{
		events.KeyAIToken: "llm:delta", events.KeyAIMessage: "llm:final",
	}},
	{name: chat.DefaultServerErrorEvent, payload: anyType, example: map[string]string{"message": "The room is full."}},
}

// Files returns the documents by the names of their files.
func (c *Contract) Files() (map[string][]byte, error) {
	document, err := c.AsyncAPI()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"ChatEvents.ts": c.TypeScript(), "asyncapi.json": document}, nil
}
