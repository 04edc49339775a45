package chattest

import (
	"encoding/json"
	"strings"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// rawParser is the library's parser, but for numbers. The library reads them as
// float64, which loses the digits of a large id. Here the arguments of an event
// and of an acknowledgement are json.RawMessages, and the numbers in a CONNECT are json.Numbers.
type rawParser struct{}

func (rawParser) NewEncoder() parser.Encoder { return parser.NewEncoder() }

func (rawParser) NewDecoder() parser.Decoder {
	d := &rawDecoder{Decoder: parser.NewDecoder()}
	_ = d.On("decoded", d.restore) // the first to listen, and so ahead of the server
	return d
}

type rawDecoder struct {
	parser.Decoder
	text string // of the packet that is being decoded
}

func (d *rawDecoder) Add(data any) error {
	d.text = ""
	if text, ok := data.(*types.StringBuffer); ok {
		d.text = text.String()
	}
	return d.Decoder.Add(data)
}

// restore puts what the packet said in place of what the library made of it.
func (d *rawDecoder) restore(args ...any) {
	packet := args[0].(*parser.Packet)
	start := strings.IndexAny(d.text, "[{")
	if start < 0 {
		return
	}
	from := json.NewDecoder(strings.NewReader(d.text[start:]))
	switch packet.Type {
	case parser.EVENT:
		var event []json.RawMessage
		if from.Decode(&event) == nil {
			data := packet.Data.([]any)
			for i := range data[1:] {
				data[1+i] = event[1+i]
			}
		}
	case parser.ACK:
		var reply []json.RawMessage
		if from.Decode(&reply) == nil {
			data := packet.Data.([]any)
			for i := range data {
				data[i] = reply[i]
			}
		}
	case parser.CONNECT:
		var auth map[string]any
		from.UseNumber()
		if from.Decode(&auth) == nil {
			packet.Data = auth
		}
	}
}
