package engineio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/gorilla/websocket"
)

const (
	readBuffer  = 8 << 10 // one read of the socket takes in many tokens
	writeBuffer = 4 << 10
	keptBuffer  = 64 << 10 // a larger frame's buffer is let go once it is read

	maxHandshake = 64 << 10 // what a server may say before the websocket is open
)

// writeBuffers lends a buffer to each frame while it is written, so that an
// idle session holds none.
var writeBuffers sync.Pool

// Options say how to open a session.
type Options struct {
	URL          *url.URL // ws or wss; path and query as they go out, the protocol's own parameters apart
	Header       http.Header
	MaxFrame     int64         // bytes; a longer frame ends the session
	WriteTimeout time.Duration // for one packet
}

// A Session is an open Engine.IO session. One goroutine may read while another
// one writes; Close may be called from anywhere.
type Session struct {
	Handshake Handshake

	ws           *websocket.Conn
	writeTimeout time.Duration
	buf          []byte
}

// Dial opens a session. It waits for the TCP connection, the websocket
// handshake and the server's open packet, and ends with ctx wherever it is.
//
// Its errors are a [*HandshakeError], a [*ProtocolError], the error of the
// network, or that of ctx.
func Dial(ctx context.Context, o Options) (*Session, error) {
	s, err := dial(ctx, o)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err() // what broke underneath, broke because ctx ended
	}
	return s, err
}

func dial(ctx context.Context, o Options) (*Session, error) {
	u := *o.URL
	query := u.Query()
	query.Set("EIO", "4")
	query.Set("transport", "websocket")
	u.RawQuery = query.Encode()

	// The websocket library minds ctx while it connects, but not while it
	// waits for an answer: closing what it reads from wakes it up.
	stop := func() bool { return true }
	var limit *limitedConn
	dialer := websocket.Dialer{
		Proxy:           http.ProxyFromEnvironment,
		ReadBufferSize:  readBuffer,
		WriteBufferSize: writeBuffer,
		WriteBufferPool: &writeBuffers,
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			stop = context.AfterFunc(ctx, func() { c.Close() })
			limit = &limitedConn{Conn: c, left: maxHandshake}
			return limit, nil
		},
	}
	ws, response, err := dialer.DialContext(ctx, u.String(), o.Header)
	defer func() { stop() }()
	if err != nil {
		if response != nil {
			return nil, handshakeError(response)
		}
		return nil, err
	}

	limit.left = unlimited

	s := &Session{ws: ws, writeTimeout: o.WriteTimeout}
	ws.SetReadLimit(o.MaxFrame)
	if s.Handshake, err = s.readOpen(); err != nil {
		ws.Close()
		return nil, err
	}
	if !stop() {
		ws.Close()
		return nil, ctx.Err()
	}
	return s, nil
}

// A limitedConn fails once more than left bytes have been read from it. The
// websocket library sets no limit to the headers of the server's answer.
type limitedConn struct {
	net.Conn
	left int64
}

const unlimited = -1

func (c *limitedConn) Read(p []byte) (int, error) {
	if c.left == unlimited {
		return c.Conn.Read(p)
	}
	if c.left == 0 {
		return 0, &ProtocolError{errors.New("the answer to the handshake is too long")}
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

func (s *Session) readOpen() (Handshake, error) {
	packet, err := s.Read()
	if err != nil {
		return Handshake{}, err
	}
	if packet.Type != Open || packet.Binary {
		return Handshake{}, &ProtocolError{fmt.Errorf("first packet is of type %q, not open", byte(packet.Type))}
	}
	h, err := parseHandshake(packet.Data)
	if err != nil {
		return Handshake{}, &ProtocolError{err}
	}
	return h, nil
}

// handshakeError makes an error of an answer that is no websocket. The body
// has been read already, as far as it matters.
func handshakeError(r *http.Response) error {
	body, _ := io.ReadAll(r.Body)
	answer := struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{Code: -1}
	if json.Unmarshal(body, &answer) != nil {
		answer.Code, answer.Message = -1, ""
	}
	line, _, _ := strings.Cut(answer.Message, "\n")
	return &HandshakeError{StatusCode: r.StatusCode, Code: answer.Code, Message: line}
}

// Read waits for the next packet. Its Data is good until the next Read. It
// ends when the session does; the error is then final.
func (s *Session) Read() (Packet, error) {
	kind, r, err := s.ws.NextReader()
	if err != nil {
		return Packet{}, err
	}
	if err := s.fill(r); err != nil {
		return Packet{}, err
	}
	if kind == websocket.BinaryMessage {
		return Packet{Type: Message, Binary: true, Data: s.buf}, nil
	}
	if len(s.buf) == 0 {
		return Packet{}, &ProtocolError{errors.New("empty packet")}
	}
	t := Type(s.buf[0])
	if t < Open || t > Noop {
		return Packet{}, &ProtocolError{fmt.Errorf("unknown packet type %q", s.buf[0])}
	}
	return Packet{Type: t, Data: s.buf[1:]}, nil
}

// fill reads r to its end into the session's buffer.
func (s *Session) fill(r io.Reader) error {
	if cap(s.buf) == 0 || cap(s.buf) > keptBuffer {
		s.buf = make([]byte, 0, 512)
	}
	s.buf = s.buf[:0]
	for {
		if len(s.buf) == cap(s.buf) {
			s.buf = append(s.buf, 0)[:len(s.buf)]
		}
		n, err := r.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Write sends one packet, within the session's write timeout. After an error
// the session is of no more use.
func (s *Session) Write(t Type, data []byte) error {
	if err := s.ws.SetWriteDeadline(time.Now().Add(s.writeTimeout)); err != nil {
		return err
	}
	w, err := s.ws.NextWriter(websocket.TextMessage)
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte{byte(t)}); err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.Close()
}

// SayGoodbye sends the websocket close frame, within the given time. The
// server answers with its own, which ends the reader.
func (s *Session) SayGoodbye(within time.Duration) error {
	frame := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	return s.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(within))
}

// Close closes the connection at once: Read and Write fail from then on.
func (s *Session) Close() error { return s.ws.Close() }
