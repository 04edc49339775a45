package zishang

import (
	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

type (
	socketEncoder = parser.Encoder
	socketDecoder = parser.Decoder
)

// noEncoder encodes nothing: no packet is the manager's own.
type noEncoder struct{}

func (noEncoder) Encode(*parser.Packet) []types.BufferInterface { return nil }
