package engineio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	readBuffer  = 512 // see readAhead
	writeBuffer = 4 << 10
	keptBuffer  = 64 << 10 // a larger buffer is released after its message

	compressFrom = 1 << 10 // a shorter message is not compressed
)

// writeBuffers has a buffer for each frame during its write, so an idle session
// needs none.
var writeBuffers sync.Pool

// webSocket is the transport that sends each packet as a frame.
type webSocket struct {
	ws           *websocket.Conn
	maxFrame     int64
	writeTimeout time.Duration
	out          *batchConn
	kind         [1]byte // of the packet that is written
	buf          []byte
	first        <-chan firstRead // of a candidate for an upgrade, else nil
}

// A firstRead is the result of the first read of a candidate, which has begun
// before the session reads from it.
type firstRead struct {
	packet packet
	err    error
}

// dialWebSocket opens a websocket at u, whose scheme is http or https. It fails
// when ctx ends. If the server refuses permessage-deflate, or grants it with
// parameters that the websocket library does not support, dialWebSocket dials
// once more without it.
func dialWebSocket(ctx context.Context, o Options, u *url.URL) (*webSocket, error) {
	ws, err := openWebSocket(ctx, o, u)
	if !o.NoCompression && isExtensionError(err) {
		o.NoCompression = true
		ws, err = openWebSocket(ctx, o, u)
	}
	return ws, err
}

// errExtension reports that the server granted permessage-deflate with
// parameters that the library does not support. It requires that both sides
// give up context takeover, but a server need not mention the client's side.
var errExtension = errors.New("unsupported parameters of permessage-deflate")

func isExtensionError(err error) bool {
	var refused *HandshakeError
	return errors.Is(err, errExtension) ||
		errors.As(err, &refused) && strings.Contains(refused.Message, "Sec-WebSocket-Extensions")
}

func openWebSocket(ctx context.Context, o Options, u *url.URL) (*webSocket, error) {
	to := *u
	to.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]

	// The websocket library checks ctx while it connects, but not while it
	// waits for the response. So the connection is closed when ctx ends.
	var open openConn
	dialer := open.dialer(o)
	ws, response, err := dialer.DialContext(ctx, to.String(), o.headerTo(u))
	defer func() { open.stop() }()
	switch {
	case err == nil:
	case response == nil:
		return nil, err
	case errors.Is(err, websocket.ErrBadHandshake):
		return nil, webSocketStatusError(response)
	default:
		return nil, errExtension
	}
	if !open.stop() {
		ws.Close()
		return nil, ctx.Err()
	}
	open.conn.left = unlimited
	ws.SetReadLimit(o.MaxFrame)
	return &webSocket{ws: ws, maxFrame: o.MaxFrame, writeTimeout: o.WriteTimeout, out: open.conn.batchConn}, nil
}

// openConn is the network connection of a websocket during the handshake.
type openConn struct {
	conn      *limitedConn
	stopClose func() bool
}

// stop keeps the connection open when ctx ends. It returns false if ctx has
// ended before.
func (o *openConn) stop() bool { return o.stopClose == nil || o.stopClose() }

// dialer returns a websocket dialer with the settings of options.HTTP.
func (o *openConn) dialer(options Options) websocket.Dialer {
	d := websocket.Dialer{
		Proxy:             http.ProxyFromEnvironment,
		ReadBufferSize:    readBuffer,
		WriteBufferSize:   writeBuffer,
		WriteBufferPool:   &writeBuffers,
		EnableCompression: !options.NoCompression,
		Jar:               options.Jar,
		NetDialContext:    o.watch(new(net.Dialer).DialContext),
	}
	given, ok := options.HTTP.(*http.Transport)
	if !ok {
		return d
	}
	t := given.Clone() // because a transport in use changes its own fields
	d.Proxy = t.Proxy
	if t.DialContext != nil {
		d.NetDialContext = o.watch(t.DialContext)
	}
	if t.DialTLSContext != nil {
		d.NetDialTLSContext = o.watch(t.DialTLSContext)
	}
	if t.TLSClientConfig != nil {
		d.TLSClientConfig = t.TLSClientConfig.Clone()
	} else {
		d.TLSClientConfig = &tls.Config{}
	}
	d.TLSClientConfig.NextProtos = []string{"http/1.1"} // the handshake does not work over HTTP/2
	return d
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// watch wraps dial. It closes the connection when ctx ends, and limits the size
// of the response.
func (o *openConn) watch(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		o.stopClose = context.AfterFunc(ctx, func() { c.Close() })
		o.conn = &limitedConn{batchConn: newBatchConn(c), in: readAhead{Conn: c}, left: maxResponse}
		return o.conn, nil
	}
}

// A limitedConn fails after left bytes have been read. The websocket library
// does not limit the headers of the response.
type limitedConn struct {
	*batchConn
	in   readAhead
	left int64
}

const unlimited = -1

func (c *limitedConn) Read(p []byte) (int, error) {
	if c.left == unlimited {
		return c.in.Read(p)
	}
	if c.left == 0 {
		return 0, &ProtocolError{errors.New("handshake response is too long")}
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

func (w *webSocket) read() (packet, error) {
	if w.first != nil {
		first := <-w.first
		w.first = nil
		return first.packet, first.err
	}
	return w.readNext()
}

func (w *webSocket) readNext() (packet, error) {
	kind, r, err := w.ws.NextReader()
	if err == nil {
		err = w.fill(r)
	}
	if err != nil {
		return packet{}, w.readError(err)
	}
	if kind == websocket.BinaryMessage {
		return packet{message, true, w.buf}, nil
	}
	return parseText(w.buf) // binary data in base64 follows the query parameter b64
}

func (w *webSocket) readError(err error) error {
	if errors.Is(err, websocket.ErrReadLimit) {
		return w.tooLong()
	}
	var closed *websocket.CloseError // abnormal if there was no close frame
	if errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure {
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return err
}

// IsClose reports whether the server ended a session regularly, by a close
// packet or a close frame.
func IsClose(err error) bool {
	var frame *websocket.CloseError
	return errors.Is(err, ErrClosed) || errors.As(err, &frame) && frame.Code != websocket.CloseAbnormalClosure
}

func (w *webSocket) tooLong() error { return tooLong(w.maxFrame) }

// fill reads r to its end into the buffer. The library limits the compressed
// size of a message; fill limits the size after decompression.
func (w *webSocket) fill(r io.Reader) error {
	if cap(w.buf) == 0 || cap(w.buf) > keptBuffer {
		w.buf = make([]byte, 0, 512)
	}
	w.buf = w.buf[:0]
	for {
		if len(w.buf) == cap(w.buf) {
			w.buf = grow(w.buf, w.frameLeft())
		}
		n, err := r.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+n]
		if int64(len(w.buf)) > w.maxFrame {
			return w.tooLong()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// frameLength is the field of the websocket library with the number of bytes
// that are left of a frame. The library does not export it.
var frameLength, _ = reflect.TypeFor[websocket.Conn]().FieldByName("readRemaining")

// frameLeft returns the number of bytes that are left of the frame being read,
// or 0 if the library has no such field. It is called by the reader.
func (w *webSocket) frameLeft() int64 {
	if frameLength.Type != reflect.TypeFor[int64]() {
		return 0
	}
	return reflect.ValueOf(w.ws).Elem().FieldByIndex(frameLength.Index).Int()
}

// grow returns buf with room for the announced number of bytes and one more, so
// that the end of the data is found without a larger buffer. A peer can
// announce more than it sends, so buf grows to 16 times the data that has
// arrived, or 64 KiB. The smaller buffers before the last one are a 15th of it.
func grow(buf []byte, announced int64) []byte {
	size := int64(len(buf)) + max(announced, 0) + 1
	for limit := 16 * max(int64(len(buf)), 4<<10); size > limit; {
		size /= 16
	}
	return slices.Grow(buf, max(int(size)-len(buf), 1))
}

func (w *webSocket) sizeOf(p packet) int {
	if p.binary {
		return len(p.data)
	}
	return 1 + len(p.data)
}

func (w *webSocket) write(packets []packet) error {
	w.out.begin(flushFrom)
	for _, p := range packets {
		if err := w.expectWrite(); err != nil {
			return err
		}
		if err := w.writeFrame(p); err != nil {
			return err
		}
	}
	return w.out.flush()
}

// tryWrite writes packets as far as that does not block. If taken is false, it
// has written nothing. If more is true, flush writes the rest.
func (w *webSocket) tryWrite(packets []packet) (taken, more bool, err error) {
	size := 0
	for _, p := range packets {
		size += len(p.data)
	}
	if size > tryBatch || !w.out.tryBegin() {
		return false, false, nil
	}
	for _, p := range packets {
		if err := w.writeFrame(p); err != nil {
			return true, false, err
		}
	}
	more, err = w.out.tryFlush()
	return true, more, err
}

// flush writes the rest of tryWrite.
func (w *webSocket) flush() error {
	if err := w.out.SetWriteDeadline(time.Now().Add(w.writeTimeout)); err != nil {
		return err
	}
	return w.out.flush()
}

// expectWrite sets the deadline of the frames that follow.
func (w *webSocket) expectWrite() error {
	return w.ws.SetWriteDeadline(time.Now().Add(w.writeTimeout))
}

func (w *webSocket) writeFrame(p packet) error {
	if p.kind == wsPong {
		return w.ws.WriteMessage(websocket.PongMessage, p.data)
	}
	w.ws.EnableWriteCompression(len(p.data) >= compressFrom)
	kind := websocket.TextMessage
	if p.binary {
		kind = websocket.BinaryMessage
	}
	out, err := w.ws.NextWriter(kind)
	if err != nil {
		return err
	}
	if !p.binary {
		w.kind[0] = byte(p.kind)
		if _, err := out.Write(w.kind[:]); err != nil {
			return err
		}
	}
	if _, err := out.Write(p.data); err != nil {
		return err
	}
	return out.Close()
}

// readUntil ignores the error: if there is one, the next read fails as well.
func (w *webSocket) readUntil(t time.Time) { _ = w.ws.SetReadDeadline(t) }

// close sends a close frame. The close frame of the server ends the reader.
func (w *webSocket) close(within time.Duration) error {
	frame := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	return w.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(within))
}

// echoClose answers the server's close frame. It ignores an error: the session
// has ended.
func (w *webSocket) echoClose(code int) {
	frame := websocket.FormatCloseMessage(code, "")
	_ = w.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(time.Second))
}

func (w *webSocket) closeNow() {
	w.out.abandon()
	w.ws.Close()
}

func tooLong(limit int64) error {
	return &ProtocolError{fmt.Errorf("message exceeds %d bytes", limit)}
}
