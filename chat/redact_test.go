package chat_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"testing"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestClient_printsNoSecrets(t *testing.T) {
	cfg := chat.Config{NoJoin: true, Conn: conn.Config{
		Header: http.Header{"Authorization": {"s3cr3t"}},
		Query:  url.Values{"token": {"s3cr3t"}},
	}}
	client, err := chat.New("http://localhost/admin?key=s3cr3t", cfg)
	require.NoError(t, err)

	var printed bytes.Buffer
	for _, v := range []any{client, cfg, struct{ Client *chat.Client }{client}} {
		fmt.Fprintf(&printed, "%v %+v %#v %s\n", v, v, v, v)
		slog.New(slog.NewTextHandler(&printed, nil)).Info("printed", "value", v)
		slog.New(slog.NewJSONHandler(&printed, nil)).Info("printed", "value", v)
	}
	assert.Contains(t, printed.String(), "conn http://localhost/admin (idle)")
	assert.NotContains(t, printed.String(), "s3cr3t")
}
