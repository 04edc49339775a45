package snippet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/bus/pipe"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chatdebug"
	"github.com/seed67206a74/parley/chat/chathttp"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/require"
)

// Variables that a snippet may use without declaring them.
var (
	ctx       context.Context
	err       error
	serverURL string
	client    *chat.Client
	web       *chathttp.Server
	c         *conn.Conn
	stream    *chat.Stream
	tokens    <-chan events.AIToken
	server    *chattest.Server
	t         *testing.T
	logger    *slog.Logger
	user      = events.StringID("u1")
	room      = events.StringID("room-1")
	payload   any
)

type (
	Result struct{ Text string }
	Reply  struct{ OK bool }
	Ping   struct{ N int }
)

func show(...any) {}
