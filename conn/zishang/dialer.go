package zishang

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/conn/zishang/internal/argv0"
	"github.com/zishang520/socket.io/clients/engine/v3"
	"github.com/zishang520/socket.io/clients/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

func init() { argv0.Restore() }

// WebTransport is the name, in conn.Config.Transports, of a transport that only
// this package has.
const WebTransport = "webtransport"

// A Dialer opens sessions with the zishang520 client. Its zero value is ready
// for use.
type Dialer struct {
	// Configure, if it is not nil, can change the options of each Manager
	// before the Manager is created. It can set options that conn.Config does
	// not have, such as those of QUIC.
	Configure func(options socket.ManagerOptionsInterface)
}

// Dial opens a session; see [conn.Dialer]. It returns when ctx ends, but the
// client's own dial cannot be cancelled.
//
// Endpoint.HTTP must be nil or an *http.Transport without Proxy, DialContext
// and DialTLSContext, whose TLSClientConfig is used. Endpoint.Jar must be nil.
func (d Dialer) Dial(ctx context.Context, to conn.Endpoint) (conn.Engine, error) {
	config, err := tlsConfig(to)
	if err != nil {
		return nil, err
	}
	var failure error
	for i, name := range to.Transports {
		upgrades := []string{}
		if name == conn.Polling {
			upgrades = slices.DeleteFunc(slices.Clone(to.Transports[i+1:]), func(t string) bool { return t == conn.Polling })
		}
		var s *session
		if s, err = d.open(ctx, to, config, name, upgrades); err == nil {
			return s, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		failure = errors.Join(failure, fmt.Errorf("%s: %w", name, err))
		var bad *tls.CertificateVerificationError
		if errors.As(err, &bad) {
			break
		}
	}
	return nil, failure
}

// tlsConfig returns the TLS settings of to, and an error for settings that the
// client would ignore.
func tlsConfig(to conn.Endpoint) (*tls.Config, error) {
	if to.Jar != nil {
		return nil, errors.New("zishang: the client cannot use a cookie jar")
	}
	switch t := to.HTTP.(type) {
	case nil:
		return nil, nil
	case *http.Transport:
		t = t.Clone()
		if t.DialContext != nil || t.DialTLSContext != nil || t.Proxy != nil {
			return nil, errors.New("zishang: unsupported http.Transport: set TLSClientConfig only")
		}
		if t.TLSClientConfig == nil {
			return nil, nil
		}
		config := t.TLSClientConfig.Clone()
		config.NextProtos = nil
		return config, nil
	}
	return nil, fmt.Errorf("zishang: the client cannot send requests through a %T", to.HTTP)
}

// open opens a session over the transport first. The session may be upgraded to
// one of upgrades.
func (d Dialer) open(ctx context.Context, to conn.Endpoint, config *tls.Config, first string, upgrades []string) (*session, error) {
	s := newSession(to)
	builders := types.NewSet[engine.TransportCtor]()
	for _, name := range append([]string{first}, upgrades...) {
		b, err := s.gate.builder(name, first)
		if err != nil {
			return nil, err
		}
		builders.Add(b)
	}
	options := socket.DefaultManagerOptions()
	options.SetAutoConnect(false)
	options.SetReconnection(false)
	options.SetForceNew(true)
	options.SetParser(passThrough{s})
	options.SetTransports(builders)
	options.SetUpgrade(len(upgrades) > 0)
	options.SetPath(strings.TrimSuffix(to.URL.Path, "/"))
	options.SetAddTrailingSlash(strings.HasSuffix(to.URL.Path, "/"))
	options.SetExtraHeaders(to.Header.Clone())
	options.SetQuery(to.URL.Query())
	options.SetTimeout(managerTimeout(ctx))
	options.SetIdleTimeout(0)
	if config != nil {
		options.SetTLSClientConfig(config)
	}
	if to.NoCompression {
		options.SetPerMessageDeflate(nil)
	}
	if d.Configure != nil {
		d.Configure(options)
	}

	manager := socket.NewManager(to.URL.Scheme+"://"+to.URL.Host, options)
	opened := make(chan error, 1)
	manager.Open(func(err error) {
		select {
		case opened <- err:
		default: // only the first result counts
		}
	})
	s.engine = manager.Engine()
	_ = s.engine.On("close", s.onClose)
	_ = s.engine.On("drain", s.onDrain)
	s.gate.open() // now that the listeners are added

	select {
	case err := <-opened:
		if err == nil {
			<-s.gate.ready // closes soon, because the transport is open
			return s, nil
		}
		s.CloseNow()
		return nil, cause(err)
	case <-ctx.Done():
		s.engine.Emit("error", ctx.Err()) // makes the Manager stop its timer
		s.CloseNow()
		return nil, ctx.Err()
	}
}

// managerTimeout returns the Manager's connect timeout. It ends a second after
// ctx.
func managerTimeout(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline) + time.Second
	}
	return time.Hour
}

// cause returns the description of an error of the client, or err if there is
// none.
func cause(err error) error {
	var own *engine.Error
	if errors.As(err, &own) && own.Description != nil {
		return own.Description
	}
	if err == nil {
		return errors.New("closed")
	}
	return err
}
