package zishang

import (
	"fmt"
	"io"
	"strings"

	"github.com/seed67206a74/parley/conn"
	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// passThrough is the Manager's parser. It does not decode messages, because
// package conn does that.
type passThrough struct{ session *session }

func (p passThrough) NewEncoder() socketEncoder { return noEncoder{} }

func (p passThrough) NewDecoder() socketDecoder {
	return decoder{types.NewEventEmitter(), p.session}
}

type (
	socketEncoder = parser.Encoder
	socketDecoder = parser.Decoder
)

// noEncoder encodes nothing: the Manager sends no packets of its own.
type noEncoder struct{}

func (noEncoder) Encode(*parser.Packet) []types.BufferInterface { return nil }

type decoder struct {
	types.EventEmitter
	session *session
}

func (d decoder) Add(data any) error {
	m, err := messageOf(data, d.session.maxFrame)
	if err != nil {
		d.session.fail(err)
		return err
	}
	d.session.push(m)
	return nil
}

func (d decoder) Destroy() {}

// messageOf converts a message of the client. If data is nil, the message is
// empty.
func messageOf(data any, maxFrame int64) (conn.Message, error) {
	_, isText := data.(*types.StringBuffer)
	if _, ok := data.(*strings.Reader); ok {
		isText = true
	}
	r, ok := data.(io.Reader)
	if !ok || r == nil {
		return conn.Message{}, nil
	}
	all, err := io.ReadAll(io.LimitReader(r, maxFrame+1))
	if err != nil {
		return conn.Message{}, err
	}
	if int64(len(all)) > maxFrame {
		return conn.Message{}, &conn.ProtocolError{Err: fmt.Errorf("message exceeds %d bytes", maxFrame)}
	}
	return conn.Message{Binary: !isText, Data: all}, nil
}
