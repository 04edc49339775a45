package conn_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNew_takesNamespaceAndQueryFromURL(t *testing.T) {
	requests := make(chan *http.Request, 1)
	frames := make(chan []string, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		requests <- p.Request
		connect := p.Welcome()
		p.Send(`42["other","not for /admin"]`)
		p.Send(`42/admin,["greeting","hello"]`)
		frames <- append([]string{connect}, p.UntilGone()...)
	})
	c, err := conn.New(url+"/admin?tenant=acme", conn.Config{
		Path:   "/realtime/",
		Query:  map[string][]string{"consultationId": {"abc-123"}},
		Header: http.Header{"X-Api-Key": {"k1"}},
	})
	require.NoError(t, err)
	raw := c.Raw.Chan(t.Context())
	_, cancel := wiretest.Run(t, c)

	assert.Equal(t, "greeting", wiretest.ReceiveFrom(t, raw).Name)
	require.NoError(t, c.Emit(t.Context(), "hi"))
	cancel()
	assert.Equal(t, []string{`40/admin,`, `42/admin,["hi"]`, `41/admin,`}, wiretest.ReceiveFrom(t, frames))

	r := wiretest.ReceiveFrom(t, requests)
	assert.Equal(t, "/realtime/", r.URL.Path)
	assert.Equal(t, "EIO=4&consultationId=abc-123&tenant=acme&transport=websocket", r.URL.RawQuery)
	assert.Equal(t, "k1", r.Header.Get("X-Api-Key"))
}

func TestNew_rejectsInvalidURL(t *testing.T) {
	for raw, want := range map[string]string{
		"localhost:4000":          "scheme",
		"ftp://localhost":         "scheme",
		"http://":                 "no host",
		"http://bad host":         "cannot be parsed",
		"http://me:secret@host":   "user name",
		"http://host/a,b":         "comma",
		"http://host/%zz?token=s": "cannot be parsed",
	} {
		t.Run(raw, func(t *testing.T) {
			_, err := conn.New(raw, conn.Config{})
			require.ErrorContains(t, err, want)
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestNew_rejectsInvalidConfig(t *testing.T) {
	for want, cfg := range map[string]conn.Config{
		"unknown transport": {Transports: []string{"carrier pigeon"}},
		"is empty":          {Transports: []string{}},
		"slash":             {Path: "socket.io"},
		"negative":          {WriteTimeout: -1},
		"the handshake":     {Header: http.Header{"upgrade": {"h2c"}}},
		"Config.Reconnect":  {Reconnect: reconnect.Policy{InitialInterval: -1}},
	} {
		t.Run(want, func(t *testing.T) {
			_, err := conn.New("http://localhost", cfg)
			assert.ErrorContains(t, err, want)
		})
	}
}

func TestNew_rejectsInvalidHeadersAndReservedParameters(t *testing.T) {
	for want, cfg := range map[string]conn.Config{
		`"X-A\r\nX-B" is not a name`:                  {Header: http.Header{"X-A\r\nX-B": {"c"}}},
		`"" is not a name`:                            {Header: http.Header{"": {"c"}}},
		"the value of X-A cannot be sent":             {Header: http.Header{"X-A": {"b\r\nX-Secret: " + secretHeader}}},
		"the value of Cookie cannot be sent":          {Header: http.Header{"Cookie": {"a=" + secretHeader + "\x00"}}},
		"the Host is not one host":                    {Header: http.Header{"Host": {"a b"}}},
		"Transfer-Encoding belongs to the handshake":  {Header: http.Header{"transfer-encoding": {"chunked"}}},
		"Sec-Websocket-Key belongs to the handshake":  {Header: http.Header{"Sec-WebSocket-Key": {"x"}}},
		`parameter "sid" belongs to the protocol`:     {Query: url.Values{"sid": {"of another"}}},
		`parameter "EIO" belongs to the protocol`:     {Query: url.Values{"EIO": {"3"}}},
		`parameter "transport" belongs to the protoc`: {Query: url.Values{"transport": {"websocket"}}},
	} {
		t.Run(want, func(t *testing.T) {
			_, err := conn.New("http://localhost", cfg)
			require.ErrorContains(t, err, want)
			assert.NotContains(t, err.Error(), secretHeader)
		})
	}
	_, err := conn.New("http://localhost/?sid=of+another", conn.Config{})
	require.ErrorContains(t, err, `parameter "sid"`)
}

func TestQuery_escapesValues(t *testing.T) {
	const value = "a&transport=polling&sid=1#x\r\nX-A: b"
	queries := make(chan url.Values, 1)
	address := wiretest.Serve(t, func(p *wiretest.Peer) { queries <- p.Request.URL.Query(); p.Welcome(); p.UntilGone() })
	_, _, _ = start(t, address, conn.Config{Query: url.Values{"v": {value}}})
	query := wiretest.ReceiveFrom(t, queries)
	assert.Equal(t, value, query.Get("v"))
	assert.Equal(t, []string{conn.WebSocket}, query["transport"])
	assert.Empty(t, query["sid"])
}
