package events

import "github.com/go-json-experiment/json/jsontext"

// The JSON methods of every type: UnmarshalJSONFrom and MarshalJSONTo for
// go-json-experiment/json, UnmarshalJSON and MarshalJSON for encoding/json.

func (p *UserMessage) UnmarshalJSONFrom(d *jsontext.Decoder) error  { return userMessage.decode(d, p) }
func (p *Part) UnmarshalJSONFrom(d *jsontext.Decoder) error         { return part.decode(d, p) }
func (p *Typing) UnmarshalJSONFrom(d *jsontext.Decoder) error       { return typing.decode(d, p) }
func (p *Abort) UnmarshalJSONFrom(d *jsontext.Decoder) error        { return abort.decode(d, p) }
func (p *Read) UnmarshalJSONFrom(d *jsontext.Decoder) error         { return read.decode(d, p) }
func (p *ChatMessage) UnmarshalJSONFrom(d *jsontext.Decoder) error  { return chatMessage.decode(d, p) }
func (p *Presence) UnmarshalJSONFrom(d *jsontext.Decoder) error     { return presence.decode(d, p) }
func (p *AIProcessing) UnmarshalJSONFrom(d *jsontext.Decoder) error { return aiProcessing.decode(d, p) }
func (p *AIToken) UnmarshalJSONFrom(d *jsontext.Decoder) error      { return aiToken.decode(d, p) }
func (p *AIMessage) UnmarshalJSONFrom(d *jsontext.Decoder) error    { return aiMessage.decode(d, p) }
func (p *Usage) UnmarshalJSONFrom(d *jsontext.Decoder) error        { return usage.decode(d, p) }
func (p *AIError) UnmarshalJSONFrom(d *jsontext.Decoder) error      { return aiError.decode(d, p) }
func (p *AIToolCall) UnmarshalJSONFrom(d *jsontext.Decoder) error   { return aiToolCall.decode(d, p) }
func (p *AIToolResult) UnmarshalJSONFrom(d *jsontext.Decoder) error { return aiToolResult.decode(d, p) }

func (p UserMessage) MarshalJSONTo(e *jsontext.Encoder) error  { return userMessage.encode(e, &p) }
func (p Part) MarshalJSONTo(e *jsontext.Encoder) error         { return part.encode(e, &p) }
func (p Typing) MarshalJSONTo(e *jsontext.Encoder) error       { return typing.encode(e, &p) }
func (p Abort) MarshalJSONTo(e *jsontext.Encoder) error        { return abort.encode(e, &p) }
func (p Read) MarshalJSONTo(e *jsontext.Encoder) error         { return read.encode(e, &p) }
func (p ChatMessage) MarshalJSONTo(e *jsontext.Encoder) error  { return chatMessage.encode(e, &p) }
func (p Presence) MarshalJSONTo(e *jsontext.Encoder) error     { return presence.encode(e, &p) }
func (p AIProcessing) MarshalJSONTo(e *jsontext.Encoder) error { return aiProcessing.encode(e, &p) }
func (p AIToken) MarshalJSONTo(e *jsontext.Encoder) error      { return aiToken.encode(e, &p) }
func (p AIMessage) MarshalJSONTo(e *jsontext.Encoder) error    { return aiMessage.encode(e, &p) }
func (p Usage) MarshalJSONTo(e *jsontext.Encoder) error        { return usage.encode(e, &p) }
func (p AIError) MarshalJSONTo(e *jsontext.Encoder) error      { return aiError.encode(e, &p) }
func (p AIToolCall) MarshalJSONTo(e *jsontext.Encoder) error   { return aiToolCall.encode(e, &p) }
func (p AIToolResult) MarshalJSONTo(e *jsontext.Encoder) error { return aiToolResult.encode(e, &p) }

func (p *UserMessage) UnmarshalJSON(b []byte) error  { return unmarshal(b, p) }
func (p *Part) UnmarshalJSON(b []byte) error         { return unmarshal(b, p) }
func (p *Typing) UnmarshalJSON(b []byte) error       { return unmarshal(b, p) }
func (p *Abort) UnmarshalJSON(b []byte) error        { return unmarshal(b, p) }
func (p *Read) UnmarshalJSON(b []byte) error         { return unmarshal(b, p) }
func (p *ChatMessage) UnmarshalJSON(b []byte) error  { return unmarshal(b, p) }
func (p *Presence) UnmarshalJSON(b []byte) error     { return unmarshal(b, p) }
func (p *AIProcessing) UnmarshalJSON(b []byte) error { return unmarshal(b, p) }
func (p *AIToken) UnmarshalJSON(b []byte) error      { return unmarshal(b, p) }
func (p *AIMessage) UnmarshalJSON(b []byte) error    { return unmarshal(b, p) }
func (p *Usage) UnmarshalJSON(b []byte) error        { return unmarshal(b, p) }
func (p *AIError) UnmarshalJSON(b []byte) error      { return unmarshal(b, p) }
func (p *AIToolCall) UnmarshalJSON(b []byte) error   { return unmarshal(b, p) }
func (p *AIToolResult) UnmarshalJSON(b []byte) error { return unmarshal(b, p) }

func (p UserMessage) MarshalJSON() ([]byte, error)  { return marshal(p) }
func (p Part) MarshalJSON() ([]byte, error)         { return marshal(p) }
func (p Typing) MarshalJSON() ([]byte, error)       { return marshal(p) }
func (p Abort) MarshalJSON() ([]byte, error)        { return marshal(p) }
func (p Read) MarshalJSON() ([]byte, error)         { return marshal(p) }
func (p ChatMessage) MarshalJSON() ([]byte, error)  { return marshal(p) }
func (p Presence) MarshalJSON() ([]byte, error)     { return marshal(p) }
func (p AIProcessing) MarshalJSON() ([]byte, error) { return marshal(p) }
func (p AIToken) MarshalJSON() ([]byte, error)      { return marshal(p) }
func (p AIMessage) MarshalJSON() ([]byte, error)    { return marshal(p) }
func (p Usage) MarshalJSON() ([]byte, error)        { return marshal(p) }
func (p AIError) MarshalJSON() ([]byte, error)      { return marshal(p) }
func (p AIToolCall) MarshalJSON() ([]byte, error)   { return marshal(p) }
func (p AIToolResult) MarshalJSON() ([]byte, error) { return marshal(p) }

// UnmarshalCommon decodes the JSON object at the beginning of b in one pass, if
// it has the common form of the payload. It returns the length of the object.
// If ok is false, the object has another form or is not valid, and
// UnmarshalJSONFrom decodes it or reports the error. A text that is likely to
// repeat, such as an id, is the result of intern. Package conn finds these
// methods by their signature.
func (p *AIToken) UnmarshalCommon(b []byte, intern func([]byte) string) (n int, ok bool) {
	return aiToken.decodeCommon(b, p, intern)
}

// UnmarshalCommon is described at [AIToken.UnmarshalCommon].
func (p *AIProcessing) UnmarshalCommon(b []byte, intern func([]byte) string) (n int, ok bool) {
	return aiProcessing.decodeCommon(b, p, intern)
}

// UnmarshalCommon is described at [AIToken.UnmarshalCommon].
func (p *ChatMessage) UnmarshalCommon(b []byte, intern func([]byte) string) (n int, ok bool) {
	return chatMessage.decodeCommon(b, p, intern)
}
