package engineio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
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

// A Session is an open Engine.IO session. One goroutine may read while others
// write; Close may be called from anywhere.
type Session struct {
	handshake handshake

	ws           *websocket.Conn
	writing      sync.Mutex  // held while something is written
	pongDue      atomic.Bool // a ping waits for its answer
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
	u.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
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
	if err := s.readOpen(); err != nil {
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

func (s *Session) readOpen() error {
	p, err := s.next()
	if err != nil {
		return err
	}
	if p.kind != open || p.binary {
		return &ProtocolError{fmt.Errorf("first packet is of type %q, not open", byte(p.kind))}
	}
	if s.handshake, err = parseHandshake(p.data); err != nil {
		return &ProtocolError{err}
	}
	return s.expectPing()
}

// expectPing gives the server the time that it has announced for its next ping.
func (s *Session) expectPing() error {
	return s.ws.SetReadDeadline(time.Now().Add(s.handshake.pingInterval + s.handshake.pingTimeout))
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

// Read waits for the next message, and answers the server's pings meanwhile.
// The message's data is good until the next Read. Read ends when the session
// does, and its error is final: [ErrPingTimeout], [ErrClosed], a
// [*ProtocolError], or that of the network.
func (s *Session) Read() (Message, error) {
	for {
		p, err := s.next()
		var failure net.Error
		switch {
		case errors.As(err, &failure) && failure.Timeout():
			return Message{}, ErrPingTimeout
		case err != nil:
			return Message{}, err
		}
		switch p.kind {
		case message:
			return Message{p.binary, p.data}, nil
		case ping:
			if err := s.expectPing(); err != nil {
				return Message{}, err
			}
			s.pongDue.Store(true)
			if err := s.sendPong(); err != nil {
				return Message{}, err
			}
		case closing:
			return Message{}, ErrClosed
		case open:
			return Message{}, &ProtocolError{errors.New("second open packet")}
		}
	}
}

// next waits for the next packet.
func (s *Session) next() (packet, error) {
	kind, r, err := s.ws.NextReader()
	if err != nil {
		return packet{}, err
	}
	if err := s.fill(r); err != nil {
		return packet{}, err
	}
	if kind == websocket.BinaryMessage {
		return packet{message, true, s.buf}, nil
	}
	if len(s.buf) == 0 {
		return packet{}, &ProtocolError{errors.New("empty packet")}
	}
	t := packetType(s.buf[0])
	if t < open || t > noop {
		return packet{}, &ProtocolError{fmt.Errorf("unknown packet type %q", s.buf[0])}
	}
	return packet{t, false, s.buf[1:]}, nil
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

// Write sends messages in their order, with nothing in between. Each is
// written within the session's write timeout. After an error the session is of
// no more use.
func (s *Session) Write(messages ...Message) error {
	err := s.writeAll(messages)
	if err != nil {
		return err
	}
	return s.sendPong()
}

func (s *Session) writeAll(messages []Message) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	for _, m := range messages {
		if err := s.writeFrame(m.Binary, message, m.Data); err != nil {
			return err
		}
	}
	return nil
}

// sendPong answers the last ping, if it has no answer yet. The reader never
// waits for a write: when one is on its way, its goroutine sends the pong as
// well. It looks after it has let go of writing, the reader before it tries to
// take it: one of the two finds the pong due and writing free.
func (s *Session) sendPong() error {
	for s.pongDue.Load() && s.writing.TryLock() {
		var err error
		if s.pongDue.Swap(false) {
			err = s.writeFrame(false, pong, nil)
		}
		s.writing.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) writeFrame(binary bool, t packetType, data []byte) error {
	if err := s.ws.SetWriteDeadline(time.Now().Add(s.writeTimeout)); err != nil {
		return err
	}
	if binary {
		return s.ws.WriteMessage(websocket.BinaryMessage, data)
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

// Goodbye sends the websocket close frame, within the given time. The server
// answers with its own, which ends the reader.
func (s *Session) Goodbye(within time.Duration) error {
	frame := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	return s.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(within))
}

// Close closes the connection at once: Read and Write fail from then on.
func (s *Session) Close() error { return s.ws.Close() }
