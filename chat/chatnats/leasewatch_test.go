package chatnats

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func TestLeaseWatch_endsWithCtxIfUpdatesStayOpen(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	new(leaseWatch).reportUpdates(ctx, make(chan jetstream.KeyValueEntry))
}
