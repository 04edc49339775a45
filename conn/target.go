package conn

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/seed67206a74/parley/internal/socketio"
	"golang.org/x/net/http/httpguts"
)

// target holds the URL of the requests, and the namespace.
type target struct {
	url       *url.URL
	namespace string
}

// parseTarget parses a URL as the reference client does: the path is the
// namespace, the query belongs to the requests.
func parseTarget(raw string, cfg Config) (target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// The error of url.Parse contains the URL, which may contain a secret.
		return target{}, errors.New("conn: the URL cannot be parsed")
	}
	scheme := map[string]string{"http": "http", "ws": "http", "https": "https", "wss": "https"}[u.Scheme]
	switch {
	case scheme == "":
		return target{}, fmt.Errorf("conn: the URL needs the scheme http, https, ws or wss, not %q", u.Scheme)
	case u.Hostname() == "":
		return target{}, errors.New("conn: the URL has no host")
	case u.User != nil:
		return target{}, errors.New("conn: the URL holds a user name: use Config.Header or Config.Auth")
	case strings.Contains(u.Path, ","):
		return target{}, errors.New("conn: a namespace cannot hold a comma")
	}

	query := u.Query()
	for name, values := range cfg.Query {
		query[name] = values
	}
	for name := range query {
		if slices.Contains(ownParameters, name) {
			return target{}, fmt.Errorf("conn: the query parameter %q belongs to the protocol", name)
		}
	}
	namespace := u.Path
	if namespace == "" {
		namespace = socketio.MainNamespace
	}
	return target{
		url:       &url.URL{Scheme: scheme, Host: u.Host, Path: cfg.Path, RawQuery: query.Encode()},
		namespace: namespace,
	}, nil
}

// ownParameters are the query parameters that the protocol sets.
var ownParameters = []string{"EIO", "transport", "sid", "t", "b64", "j"}

// validateHeader rejects headers that are invalid or belong to the handshake.
// Its errors do not contain values.
func validateHeader(header http.Header) error {
	for name, values := range header {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("%q is not a name", name)
		}
		switch canonical := http.CanonicalHeaderKey(name); canonical {
		case "Upgrade", "Connection", "Content-Length", "Transfer-Encoding", "Trailer":
			return fmt.Errorf("%s belongs to the handshake", canonical)
		case "Host":
			if len(values) != 1 || !httpguts.ValidHostHeader(values[0]) {
				return errors.New("the Host is not one host")
			}
		default:
			if strings.HasPrefix(canonical, "Sec-Websocket-") {
				return fmt.Errorf("%s belongs to the handshake", canonical)
			}
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return fmt.Errorf("the value of %s cannot be sent", name)
			}
		}
	}
	return nil
}
